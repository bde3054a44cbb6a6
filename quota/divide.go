package quota

// Parts of the classes, in percent. A guess: strangers have most, since newcomers
// are strangers until they are listed, and many may come together.
const (
	strangersPart = 50
	membersPart   = 30
	seatsPart     = 20
)

// EachPart is as which part of a class's share one of its senders may use. What
// Quota gives before it tells senders apart comes on top of that, so one
// sender alone has up to half of the share of its class. Seats are not told
// apart: they are few, and configured.
const EachPart = 4

// Divide gives what the classes may use in a second, each with its own share.
func Divide(strangers, members, seats int) *Shares {
	return &Shares{
		Stranger: {All: Tenth(strangers), Each: Tenth(strangers / EachPart)},
		Member:   {All: Tenth(members), Each: Tenth(members / EachPart)},
		Seat:     {All: Tenth(seats), Each: Tenth(seats)},
	}
}

// Split divides what a node does in a second among the classes.
func Split(perSecond int) *Shares {
	return Divide(perSecond*strangersPart/100, perSecond*membersPart/100, perSecond*seatsPart/100)
}

// Tenth is so many a second, and a tenth of it at once.
func Tenth(n int) Rate { return PerSecond(n, n/10) }
