package cgroup

import (
	"encoding/binary"
	"math/bits"
)

// Tag is the tag that the kernel gives a program, struct bpf_prog_info of linux/bpf.h: the
// first eight bytes of a hash over its instructions, without the descriptors of maps. The
// hash is SHA-1, and from Linux 6.18 on SHA-256.
func Tag(p []Ins) [2][8]byte {
	b := make([]byte, 0, 8*len(p)+72)
	for n, i := range p {
		if i.isMapValue() || n > 0 && p[n-1].isMapValue() {
			i.Imm = 0
		}
		b = append(b, i.Op, i.Reg)
		b = binary.NativeEndian.AppendUint16(b, uint16(i.Off))
		b = binary.NativeEndian.AppendUint32(b, uint32(i.Imm))
	}
	b = padded(b)
	return [2][8]byte{head(sha1(b)), head(sha256(b))}
}

func head[T [5]uint32 | [8]uint32](hash T) (b [8]byte) {
	binary.BigEndian.PutUint32(b[:], hash[0])
	binary.BigEndian.PutUint32(b[4:], hash[1])
	return b
}

// padded is a message as both hashes take it, FIPS 180-4: a bit, zeros, and its length in
// bits, in blocks of 64 bytes.
func padded(b []byte) []byte {
	n := len(b)
	b = append(b, 0x80)
	for len(b)%64 != 56 {
		b = append(b, 0)
	}
	return binary.BigEndian.AppendUint64(b, 8*uint64(n))
}

// sha1 is SHA-1 of a padded message, FIPS 180-4. It names a program, and protects nothing.
func sha1(message []byte) [5]uint32 {
	h := [5]uint32{0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476, 0xc3d2e1f0}
	for ; len(message) > 0; message = message[64:] {
		var w [80]uint32
		for i := range w {
			if i < 16 {
				w[i] = binary.BigEndian.Uint32(message[4*i:])
			} else {
				w[i] = bits.RotateLeft32(w[i-3]^w[i-8]^w[i-14]^w[i-16], 1)
			}
		}
		a, b, c, d, e := h[0], h[1], h[2], h[3], h[4]
		for i := range w {
			var f, k uint32
			switch i / 20 {
			case 0:
				f, k = b&c|^b&d, 0x5a827999
			case 1:
				f, k = b^c^d, 0x6ed9eba1
			case 2:
				f, k = b&c|b&d|c&d, 0x8f1bbcdc
			case 3:
				f, k = b^c^d, 0xca62c1d6
			}
			a, b, c, d, e = bits.RotateLeft32(a, 5)+f+e+k+w[i], a, bits.RotateLeft32(b, 30), c, d
		}
		for i, v := range [...]uint32{a, b, c, d, e} {
			h[i] += v
		}
	}
	return h
}

// sha256 is SHA-256 of a padded message, FIPS 180-4.
func sha256(message []byte) [8]uint32 {
	h := [8]uint32{0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19}
	for ; len(message) > 0; message = message[64:] {
		var w [64]uint32
		for i := range w {
			if i < 16 {
				w[i] = binary.BigEndian.Uint32(message[4*i:])
				continue
			}
			x, y := w[i-15], w[i-2]
			w[i] = w[i-16] + w[i-7] + (bits.RotateLeft32(x, -7) ^ bits.RotateLeft32(x, -18) ^ x>>3) +
				(bits.RotateLeft32(y, -17) ^ bits.RotateLeft32(y, -19) ^ y>>10)
		}
		a, b, c, d, e, f, g, z := h[0], h[1], h[2], h[3], h[4], h[5], h[6], h[7]
		for i, w := range w {
			t := z + w + sha256Constants[i] + (e&f ^ ^e&g) +
				(bits.RotateLeft32(e, -6) ^ bits.RotateLeft32(e, -11) ^ bits.RotateLeft32(e, -25))
			u := (a&b ^ a&c ^ b&c) + (bits.RotateLeft32(a, -2) ^ bits.RotateLeft32(a, -13) ^ bits.RotateLeft32(a, -22))
			a, b, c, d, e, f, g, z = t+u, a, b, c, d+t, e, f, g
		}
		for i, v := range [...]uint32{a, b, c, d, e, f, g, z} {
			h[i] += v
		}
	}
	return h
}

// sha256Constants are the fractions of the cube roots of the first 64 primes.
var sha256Constants = [64]uint32{
	0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
	0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
	0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
	0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
	0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
	0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
	0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
	0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
}
