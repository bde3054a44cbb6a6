package agent

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"hearsay"
)

// Limits of Update.
const (
	updateTries = 64
	updatePause = 64 * time.Millisecond // at most between two of them, less between the first
)

// Update replaces all values of a key by the one that change makes of them, the winner first, none if the key is
// absent. Where something else is written here meanwhile it is called again, up to 64 times; then the error is
// hearsay.ErrKeyChanged. If change fails nothing is written, and its error comes back. What is written at the same
// time at another node stays beside it, as a sibling, until the next Update. The values are read only.
func (a *Agent) Update(ctx context.Context, key string, change func(values [][]byte) ([]byte, error)) error {
	for try := range updateTries {
		stored, err := a.Get(key)
		if err != nil {
			return fmt.Errorf("update: %w", err)
		}
		values := make([][]byte, len(stored.Siblings))
		for i := range values {
			values[i] = stored.Siblings[i].Value
		}
		value, err := change(values)
		if err != nil {
			return fmt.Errorf("update key %.64q: %w", key, err)
		}
		_, err = a.Write(ctx, hearsay.Write{Key: key, Value: value, Context: stored.Context, If: hearsay.IfUnchanged})
		if !errors.Is(err, hearsay.ErrKeyChanged) {
			return err
		}
		timer := time.NewTimer(rand.N(min(updatePause, time.Millisecond<<min(try, 10))))
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return fmt.Errorf("update key %.64q: %w", key, ctx.Err())
		}
	}
	return fmt.Errorf("update: in each of %d tries something else was written: %w", updateTries, hearsay.ErrKeyChanged)
}

// Codec turns values of a type into bytes and back.
type Codec[T any] struct {
	Encode func(T) ([]byte, error)
	Decode func([]byte) (T, error)
}

// JSON has values of a type be JSON.
func JSON[T any]() Codec[T] {
	return Codec[T]{
		Encode: func(value T) ([]byte, error) { return json.Marshal(value) },
		Decode: func(text []byte) (value T, err error) { return value, json.Unmarshal(text, &value) },
	}
}

// View shows keys of the store whose values are of one type. Merge makes one value of several that were written at the
// same time, the winner first: [LastWriter], [Union], [Greatest], or another. It gets one or more.
type View[T any] struct {
	Agent *Agent
	Codec Codec[T]
	Merge func(siblings []T) T
}

// Get gives the value of a key, and whether there is one.
func (v *View[T]) Get(key string) (value T, is bool, err error) {
	stored, err := v.Agent.Get(key)
	if err != nil {
		return value, false, err
	}
	values := make([][]byte, len(stored.Siblings))
	for i := range values {
		values[i] = stored.Siblings[i].Value
	}
	return v.merged(key, values)
}

// Update replaces the value of a key by what change makes of it: see [Agent.Update].
func (v *View[T]) Update(ctx context.Context, key string, change func(value T, is bool) (T, error)) error {
	return v.Agent.Update(ctx, key, func(values [][]byte) ([]byte, error) {
		value, is, err := v.merged(key, values)
		if err == nil {
			value, err = change(value, is)
		}
		if err != nil {
			return nil, err
		}
		return v.Codec.Encode(value)
	})
}

// merged gives what several values come to.
func (v *View[T]) merged(key string, values [][]byte) (value T, is bool, err error) {
	siblings := make([]T, len(values))
	for i, text := range values {
		if siblings[i], err = v.Codec.Decode(text); err != nil {
			return value, false, fmt.Errorf("key %.64q has a value of another form: %w", key, err)
		}
	}
	if len(siblings) == 0 {
		return value, false, nil
	}
	return v.Merge(siblings), true, nil
}

// LastWriter takes the winner: what was written last, by the clocks of those that wrote.
func LastWriter[T any](siblings []T) T { return siblings[0] }

// Union takes what is in any of some sets, in order. What one took out while another left it in is in.
func Union[E cmp.Ordered](sets [][]E) []E {
	all := slices.Concat(sets...)
	slices.Sort(all)
	return slices.Compact(all)
}

// Greatest takes the greatest of numbers that only grow. A counter that several nodes count up at the same time is a
// key for each of them, and their sum: of two that count up one key the greater counts.
func Greatest[N cmp.Ordered](numbers []N) N { return slices.Max(numbers) }
