package wire

import (
	"slices"
	"testing"

	"hearsay"
	"hearsay/clock"
	"hearsay/internal/core"

	"pgregory.net/rapid"
)

// sampleObject is the second of a record of three keys.
func sampleObject(number uint64) *core.Object {
	return &core.Object{
		Dot: clock.Dot{Origin: originA, Counter: number}, Key: "k", Value: []byte("v"), Time: sampleTime << 16,
		Expires: sampleTime, First: number - 1, Last: number + 1,
	}
}

const objectLayout = "expires u · key-length u · key 1 · value-length u · value 1"

func storeSamples() []sample {
	lone := *sampleObject(300)
	lone.First, lone.Last, lone.Expires = 300, 300, 0
	without := lone
	without.Value = []byte{}
	return []sample{
		{
			name: "update", kind: kindUpdate, says: "a value under number 300, in the place of two",
			body: &core.Update{Objects: []core.Object{lone}, Gone: []clock.Dot{{Origin: originA, Counter: 7}, {Origin: originB, Counter: 9}}},
			bodyLayout: "objects u · origin 16 · first u · time 8 · " + objectLayout +
				" · gone u · origin 16 · run u · number u · origin 16 · run u · number u",
		},
		{
			name: "update-delete", kind: kindUpdate, says: "a value is gone",
			body: &core.Update{Gone: []clock.Dot{{Origin: originB, Counter: 9}}}, bodyLayout: "objects u · gone u · origin 16 · run u · number u",
		},
		{
			name: "sync-asks", kind: kindSync, says: "what I have seen of two writers, and what I want of one",
			body: &core.Sync{
				Asks: true,
				Clock: []core.Holding{
					{Origin: originA, Sum: core.Sum{High: 1, Low: 2}, Seen: []clock.Range{{Low: 1, High: 300}, {Low: 400, High: 400}}},
					{Origin: originB, Sum: core.Sum{Low: 3}, Seen: []clock.Range{{Low: 5, High: 5}}},
				},
				Of: []core.SeenRange{{Origin: originB, Range: clock.Range{Low: 1, High: 4}}},
			},
			bodyLayout: "asks 1 · origins u · origin 16 · origin 16 · clock u · place u · sum 16 · ranges u · low u · beyond u · low u · beyond u · " +
				"place u · sum 16 · ranges u · low u · beyond u · of u · place u · low u · beyond u · live u · objects u · beside u · sums u · parts u",
		},
		{
			name: "sync-gives", kind: kindSync, says: "one live value in a range, and what else is live in another",
			body: &core.Sync{
				Live: []core.LiveRange{
					{SeenRange: core.SeenRange{Origin: originA, Range: clock.Range{Low: 1, High: 300}}, Live: []uint64{7}, Sum: 5},
					{SeenRange: core.SeenRange{Origin: originA, Range: clock.Range{Low: 400, High: 407}}, Live: []uint64{400, 402, 407}, Sum: 6},
				},
				Objects: []core.Object{*sampleObject(7)},
				Beside:  []clock.Dot{{Origin: originA, Counter: 7}, {Origin: originB, Counter: 9}},
				Sums:    []core.SumRange{{SeenRange: core.SeenRange{Origin: originB, Range: clock.Range{Low: 1, High: 9}}, Sum: 8}},
			},
			bodyLayout: "asks 1 · origins u · origin 16 · origin 16 · clock u · of u · live u · place u · low u · beyond u · sum 8 · form 1 · live u · step u · " +
				"place u · low u · beyond u · sum 8 · form 1 · bitmap 1 · objects u · place u · number u · before u · after u · time 8 · " + objectLayout +
				" · beside u · place u · number u · place u · number u · sums u · place u · low u · beyond u · sum 8 · parts u",
		},
		{
			name: "sync-announces", kind: kindSync, says: "a live value of 100,000 bytes, to be fetched",
			body: &core.Sync{
				Live:  []core.LiveRange{{SeenRange: core.SeenRange{Origin: originA, Range: clock.Range{Low: 300, High: 300}}, Live: []uint64{300}, Sum: 5}},
				Parts: &core.Parts{Objects: []core.Object{without}, Sizes: []uint32{100_000}, Hashes: []core.Sum{{High: 4, Low: 5}}},
			},
			bodyLayout: "asks 1 · origins u · origin 16 · clock u · of u · live u · place u · low u · beyond u · sum 8 · form 1 · bitmap 1 · objects u · beside u · " +
				"sums u · parts u · place u · number u · before u · after u · time 8 · expires u · key-length u · key 1 · value-length u · size u · hash 16",
		},
		{
			name: "fetch", kind: kindFetch, says: "what follows 61,440 bytes of two values",
			body:       &core.Fetch{Origin: originA, Numbers: []uint64{300, 302}, Sum: core.Sum{High: 1, Low: 2}, Offset: 61_440},
			bodyLayout: "origin 16 · sum 16 · offset u · numbers u · number u · beyond u",
		},
		{
			name: "part", kind: kindPart, says: "it, three bytes",
			body:       &core.Part{Sum: core.Sum{High: 1, Low: 2}, Offset: 61_440, Bytes: []byte("abc")},
			bodyLayout: "sum 16 · offset u · length u · bytes 3",
		},
	}
}

func sampleStoreRecords() []recordSample {
	return []recordSample{
		{"store", &core.KeptStore{Origin: originA, Reserved: 4096}, "key 5 · origin 16 · reserved 8"},
		{"value", &core.KeptObject{Object: sampleObject(300)}, "origin 16 · number 8 · before u · after u · time 8 · " + objectLayout},
		{
			"seen", &core.KeptSeen{Origin: originA, Ranges: []clock.Range{{Low: 1, High: 300}, {Low: 400, High: 400}}},
			"origin 16 · ranges u · low u · beyond u · low u · beyond u",
		},
		{"over", &core.KeptOver{Origin: originA, Since: sampleTime, Seen: []clock.Range{{Low: 1, High: 300}}}, "origin 16 · since 8 · ranges u · low u · beyond u"},
	}
}

func drawObject(t *rapid.T) core.Object {
	o := core.Object{Dot: drawDot(t), Key: rapid.StringN(1, 9, -1).Draw(t, "key"), Value: rapid.SliceOfN(rapid.Byte(), 0, 9).Draw(t, "value")}
	o.Time, o.Expires = rapid.Uint64().Draw(t, "time"), rapid.Int64Range(0, 1<<62).Draw(t, "expires")
	o.First = rapid.Uint64Range(1, o.Dot.Counter).Draw(t, "first")
	o.Last = o.Dot.Counter + min(rapid.Uint64Range(0, 300).Draw(t, "after"), 1<<64-1-o.Dot.Counter)
	return o
}

func drawStore(t *rapid.T, k kind) core.Message {
	switch k {
	case kindUpdate:
		m := &core.Update{Gone: drawSome(t, "gone", drawDot)}
		for i := range rapid.IntRange(0, 3).Draw(t, "objects") {
			o := drawObject(t)
			if i > 0 {
				o.Dot, o.Time = m.Objects[0].Dot, m.Objects[0].Time
			}
			o.Dot.Counter = min(o.Dot.Counter, 1<<62)
			m.Objects = append(m.Objects, o)
		}
		for i := range m.Objects {
			o, n := &m.Objects[i], uint64(len(m.Objects))
			o.First, o.Last = m.Objects[0].Dot.Counter, m.Objects[0].Dot.Counter+n-1
			o.Dot.Counter = o.First + uint64(i)
		}
		return m
	case kindSync:
		return &core.Sync{
			Asks: rapid.Bool().Draw(t, "asks"), Clock: drawSome(t, "clock", drawHolding), Of: drawSome(t, "of", drawRange),
			Live: drawSome(t, "live", drawLive), Objects: drawSome(t, "synced", drawObject), Beside: drawSome(t, "beside", drawDot),
			Sums: drawSome(t, "sums", func(t *rapid.T) core.SumRange {
				return core.SumRange{SeenRange: drawRange(t), Sum: rapid.Uint64().Draw(t, "sum")}
			}),
			Parts: drawParts(t),
		}
	case kindFetch:
		m := &core.Fetch{Origin: drawOrigin(t), Sum: drawSum(t), Offset: rapid.Uint32().Draw(t, "offset")}
		for last := uint64(0); rapid.Bool().Draw(t, "more") && len(m.Numbers) < hearsay.MaxWrites; m.Numbers = append(m.Numbers, last) {
			last += rapid.Uint64Range(1, 1000).Draw(t, "step")
		}
		return m
	case kindPart:
		return &core.Part{Sum: drawSum(t), Offset: rapid.Uint32().Draw(t, "offset"), Bytes: rapid.SliceOfN(rapid.Byte(), 1, 9).Draw(t, "bytes")}
	}
	return nil
}

func drawSum(t *rapid.T) core.Sum {
	return core.Sum{High: rapid.Uint64().Draw(t, "high"), Low: rapid.Uint64().Draw(t, "low")}
}

func drawParts(t *rapid.T) *core.Parts {
	m := &core.Parts{Objects: drawSome(t, "parts", drawObject)}
	for range m.Objects {
		m.Sizes, m.Hashes = append(m.Sizes, rapid.Uint32().Draw(t, "size")), append(m.Hashes, drawSum(t))
	}
	if len(m.Objects) == 0 {
		return nil
	}
	return m
}

// drawSome draws a few of something; none is nil.
func drawSome[T any](t *rapid.T, name string, draw func(*rapid.T) T) []T {
	some := rapid.SliceOfN(rapid.Custom(draw), 0, 4).Draw(t, name)
	if len(some) == 0 {
		return nil
	}
	return some
}

func drawRange(t *rapid.T) core.SeenRange {
	d := drawDot(t)
	return core.SeenRange{Origin: d.Origin, Range: clock.Range{Low: d.Counter, High: d.Counter + min(rapid.Uint64Range(0, 1000).Draw(t, "beyond"), 1<<64-1-d.Counter)}}
}

func drawHolding(t *rapid.T) core.Holding {
	h := core.Holding{Origin: drawOrigin(t), Sum: drawSum(t)}
	last := uint64(0)
	for range rapid.IntRange(0, 3).Draw(t, "ranges") {
		r := clock.Range{Low: last + 2 + rapid.Uint64Range(0, 1<<60).Draw(t, "low")}
		r.High = r.Low + rapid.Uint64Range(0, 1<<60).Draw(t, "beyond")
		h.Seen, last = append(h.Seen, r), r.High
	}
	return h
}

func drawLive(t *rapid.T) core.LiveRange {
	l := core.LiveRange{SeenRange: drawRange(t), Sum: rapid.Uint64().Draw(t, "sum")}
	var numbers []uint64
	for range rapid.IntRange(0, 20).Draw(t, "numbers") {
		numbers = append(numbers, rapid.Uint64Range(l.Low, l.High).Draw(t, "number"))
	}
	slices.Sort(numbers)
	l.Live = slices.Compact(numbers)
	return l
}

// What is listed is bounded, however few bytes say it.
func TestSyncDrops(t *testing.T) {
	whole := core.LiveRange{SeenRange: core.SeenRange{Origin: originA, Range: clock.Range{Low: 1, High: 1 << 14}}}
	for number := whole.Low; number <= whole.High; number++ {
		whole.Live = append(whole.Live, number)
	}
	sync := func(m *core.Sync) []byte { return AppendPacket(nil, testNetwork, &core.Packet{From: idA, Body: m}) }
	body := func(body ...byte) []byte {
		b := append(AppendPacket(nil, testNetwork, &core.Packet{From: idA, Body: &core.News{}})[:26], byte(kindSync), byte(len(body)))
		return append(b, body...)
	}
	one := append([]byte{0, 1}, originA[:]...)
	for name, tt := range map[string]struct {
		packet []byte
		want   hearsay.Drop
	}{
		"most numbers":        {sync(&core.Sync{Live: []core.LiveRange{whole, whole}}), 0},
		"too many numbers":    {sync(&core.Sync{Live: []core.LiveRange{whole, whole, whole}}), hearsay.DropOversized},
		"unknown origin":      {body(append(one, 0, 1, 1, 1, 0)...), hearsay.DropMalformed},
		"number 0":            {body(append(one, 0, 1, 0, 0, 0)...), hearsay.DropMalformed},
		"number out of range": {body(append(one, 0, 0, 1, 0, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, formSteps, 1, 5, 0, 0, 0)...), hearsay.DropMalformed},
		"number twice":        {body(append(one, 0, 0, 1, 0, 1, 9, 0, 0, 0, 0, 0, 0, 0, 0, formSteps, 2, 5, 0, 0, 0, 0)...), hearsay.DropMalformed},
		"bit out of range":    {body(append(one, 0, 0, 1, 0, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, formBitmap, 4, 0, 0, 0)...), hearsay.DropMalformed},
		"unknown form":        {body(append(one, 0, 0, 1, 0, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0)...), hearsay.DropMalformed},
	} {
		drop, ok := NewDecoder(testNetwork).Decode(tt.packet, &core.Packet{})
		if ok != (tt.want == 0) || drop != tt.want {
			t.Errorf("%s: got %s, %t, want %s", name, drop, ok, tt.want)
		}
	}
}
