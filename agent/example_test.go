package agent_test

import (
	"context"
	"fmt"
	"log"
	"log/slog"
	"strconv"
	"sync"
	"time"

	"hearsay"
	"hearsay/agent"
)

// quietly starts a member on this machine, at a port that the kernel chooses,
// and waits until it has joined those that it is to join.
func quietly(ctx context.Context, name string, join ...string) *agent.Agent {
	a, err := agent.Start(ctx, agent.Config{
		Name: name, Bind: "127.0.0.1:0", Join: join,
		Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		log.Fatal(err)
	}
	if len(join) > 0 {
		for _, e := range a.EventsAfter(ctx, 0) { // from the first one on
			if e.Kind == hearsay.EventJoined {
				break
			}
		}
	}
	return a
}

// The first member of a network has nobody to join; the others join by the
// address of any member.
func Example() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()

	first := quietly(ctx, "ada")
	defer first.Close()
	events := first.Events(ctx) // from here on
	second := quietly(ctx, "bob", first.Self().Addr.String())
	defer second.Close()

	for e := range events {
		if e.Kind == hearsay.EventMemberJoined {
			break
		}
	}
	for _, m := range first.Members() {
		fmt.Println(m.Name, m.State)
	}
	// Output:
	// ada alive
	// bob alive
}

// What happens is told in order. A reader that is too slow is told how much it
// missed, by EventLagged, and holds up nobody.
func ExampleAgent_Events() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	ada := quietly(ctx, "ada")
	defer ada.Close()
	events := ada.Events(ctx)
	bob := quietly(ctx, "bob", ada.Self().Addr.String())

	for e := range events {
		switch e.Kind {
		case hearsay.EventMemberJoined:
			fmt.Println(e.Name, "joined")
			if err := bob.Leave(ctx); err != nil { // any method may be called in here
				log.Fatal(err)
			}
		case hearsay.EventMemberLeft:
			fmt.Println(e.Name, "left")
			ada.Close() // which ends this loop
		}
	}
	// Output:
	// bob joined
	// bob left
}

// Why a member is in the state it is in, this node can always tell.
func ExampleAgent_Why() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	ada := quietly(ctx, "ada")
	defer ada.Close()

	file, err := ada.Why("nobody")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(file.Verdict)
	// Output: unknown
}

// Leave tells the others; Close does not, and lets them find out.
func ExampleAgent_Leave() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	ada := quietly(ctx, "ada")
	if err := ada.Leave(ctx); err != nil {
		log.Fatal(err)
	}
	<-ada.Done()
	fmt.Println("gone:", ada.Err())
	// Output: gone: <nil>
}

// Two programs write the same key without having read each other: both values
// stay until one of them reads both, and replaces them.
func ExampleAgent_Put() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	a := quietly(ctx, "ada")
	defer a.Close()

	nothing, err := a.Get("tea")
	if err != nil {
		log.Fatal(err)
	}
	for _, value := range []string{"milk", "lemon"} {
		if err := a.Put(ctx, "tea", []byte(value), nothing.Context); err != nil {
			log.Fatal(err)
		}
	}
	read, err := a.Get("tea")
	if err != nil {
		log.Fatal(err)
	}
	for _, sibling := range read.Siblings { // the winner first
		fmt.Printf("%s\n", sibling.Value)
	}
	if err := a.Put(ctx, "tea", []byte("neither"), read.Context); err != nil {
		log.Fatal(err)
	}
	read, _ = a.Get("tea")
	winner, _ := read.Value()
	fmt.Printf("now %s\n", winner)
	// Output:
	// lemon
	// milk
	// now neither
}

// A value is read, changed and written again; what is written here meanwhile is not lost.
func ExampleAgent_Update() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	a := quietly(ctx, "ada")
	defer a.Close()

	var guests sync.WaitGroup
	for range 10 {
		guests.Go(func() {
			err := a.Update(ctx, "cups", func(values [][]byte) ([]byte, error) {
				cups := 0
				for _, value := range values { // none at first; several if other nodes wrote at the same time
					n, err := strconv.Atoi(string(value))
					if err != nil {
						return nil, err
					}
					cups = max(cups, n)
				}
				return strconv.AppendInt(nil, int64(cups+1), 10), nil
			})
			if err != nil {
				log.Print(err)
			}
		})
	}
	guests.Wait()
	cups, _ := a.Get("cups")
	value, _ := cups.Value()
	fmt.Printf("%s cups\n", value)
	// Output: 10 cups
}

// Sets that are changed at the same time are one set again.
func ExampleView() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	a := quietly(ctx, "ada")
	defer a.Close()

	guests := agent.View[[]string]{Agent: a, Codec: agent.JSON[[]string](), Merge: agent.Union[string]}
	add := func(name string) error {
		return guests.Update(ctx, "guests", func(names []string, _ bool) ([]string, error) { return append(names, name), nil })
	}
	nothing, _ := a.Get("guests")
	// Two that have not read each other, as on two nodes.
	err := a.Put(ctx, "guests", []byte(`["bob"]`), nothing.Context)
	if err == nil {
		err = a.Put(ctx, "guests", []byte(`["cleo"]`), nothing.Context)
	}
	if err == nil {
		err = add("ada")
	}
	if err != nil {
		log.Fatal(err)
	}
	names, _, err := guests.Get("guests")
	fmt.Println(names, err)
	// Output: [ada bob cleo] <nil>
}

// A watcher that lists after it has begun to watch misses nothing.
func ExampleAgent_Watch() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	a := quietly(ctx, "ada")
	defer a.Close()
	put := func(key, value string) {
		if err := a.Put(ctx, key, []byte(value), nil); err != nil {
			log.Fatal(err)
		}
	}
	put("tea/time", "four")
	changes, err := a.Watch(ctx, "tea/") // from here on
	if err != nil {
		log.Fatal(err)
	}
	put("tea/time", "five")
	put("milk", "none")
	if err := a.Delete(ctx, "tea/time", nil); err != nil {
		log.Fatal(err)
	}
	for e := range changes {
		if e.Kind == hearsay.EventLagged {
			continue // this reader was too slow: it would list the keys again
		}
		fmt.Printf("%s: %q, of %d\n", e.Change.Key, e.Change.Value, e.Change.Siblings)
		if e.Change.Siblings == 0 {
			break // deleted
		}
	}
	// Output:
	// tea/time: "five", of 1
	// tea/time: "", of 0
}

// A message to everybody comes as an event, also to the node that said it: once on
// each member, over whatever hops.
func ExampleAgent_Broadcast() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	ada := quietly(ctx, "ada")
	defer ada.Close()
	if _, err := ada.Broadcast(ctx, []byte("tea is ready")); err != nil {
		log.Fatal(err)
	}
	bob := quietly(ctx, "bob", ada.Self().Addr.String()) // comes late, and hears of it all the same
	defer bob.Close()

	for _, e := range bob.EventsAfter(ctx, 0) {
		if e.Kind == hearsay.EventRumor {
			fmt.Printf("%s said: %s\n", e.Name, e.Rumor.Data)
			break
		}
	}
	// Output: ada said: tea is ready
}
