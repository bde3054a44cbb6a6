package hearsay

// KeyChange is what a key of the store is after a change.
type KeyChange struct {
	Key      string `json:"key"`
	Value    []byte `json:"value,omitempty"` // of the winner; read only
	Siblings int    `json:"siblings"`        // values that it has, the winner too; 0: it was deleted
}
