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

// blocksOf finds the blocks of a binary: that of package mutant, and behind it that of the file in C.
func blocksOf(path string) (list []int64, err error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	for _, magic := range [...]string{mutant.Magic, mutant.MagicC} {
		if at := bytes.Index(text, append([]byte(magic), make([]byte, mutant.Size-len(magic))...)); at >= 0 {
			list = append(list, int64(at))
		}
	}
	if len(list) == 0 {
		return nil, fmt.Errorf("%s has no mutants", path)
	}
	return list, nil
}

// put makes the copy.
func (p *Placing) put() error {
	text, err := os.ReadFile(p.From)
	if err != nil {
		return err
	}
	for _, at := range p.Blocks {
		block := text[min(int(at), len(text)):]
		if !bytes.HasPrefix(block, []byte(mutant.Magic)) && !bytes.HasPrefix(block, []byte(mutant.MagicC)) {
			return errors.New(p.From + ": the block is not where it was")
		}
		binary.LittleEndian.PutUint32(block[mutant.NumberAt:], p.Number)
		binary.LittleEndian.PutUint32(block[mutant.FaultAt:], p.Fault)
		binary.LittleEndian.PutUint32(block[mutant.HowAt:], p.How)
		if p.Note {
			copy(block[mutant.PathAt:], noteFile+"\x00")
		}
	}
	if err := os.Remove(p.To); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	if err := os.WriteFile(p.To, text, 0o755); err != nil {
		return err
	}
	return os.Chmod(p.To, 0o755)
}
