//go:build linux

package main

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"os"

	"github.com/hardrun/hardrun/integration/mutants/mutant"
)

// blockOf finds the block of a binary.
func blockOf(path string) (int64, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return 0, err
	}
	at := bytes.Index(text, []byte(mutant.Magic))
	for at >= 0 && !bytes.Equal(text[at:min(at+mutant.Size, len(text))], append([]byte(mutant.Magic), make([]byte, mutant.Size-len(mutant.Magic))...)) {
		next := bytes.Index(text[at+1:], []byte(mutant.Magic))
		if next < 0 {
			at = -1
			break
		}
		at += 1 + next
	}
	if at < 0 {
		return 0, fmt.Errorf("%s has no mutants", path)
	}
	return int64(at), nil
}

// put makes the copy.
func (p *Placing) put() error {
	text, err := os.ReadFile(p.From)
	if err != nil {
		return err
	}
	if !bytes.HasPrefix(text[min(int(p.Block), len(text)):], []byte(mutant.Magic)) {
		return errors.New(p.From + ": the block is not where it was")
	}
	block := text[p.Block : p.Block+mutant.Size]
	binary.LittleEndian.PutUint32(block[mutant.NumberAt:], p.Number)
	binary.LittleEndian.PutUint32(block[mutant.FaultAt:], p.Fault)
	binary.LittleEndian.PutUint32(block[mutant.HowAt:], p.How)
	if p.Note {
		copy(block[mutant.PathAt:], noteFile+"\x00")
	}
	if err := os.Remove(p.To); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	if err := os.WriteFile(p.To, text, 0o755); err != nil {
		return err
	}
	return os.Chmod(p.To, 0o755)
}
