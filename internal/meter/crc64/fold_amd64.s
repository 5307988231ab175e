//go:build !purego

#include "textflag.h"

// CARRY moves the 16 bytes in x over the distance of the powers in k and adds
// the bytes that lie there. It overwrites t.
#define CARRY(k, there, x, t) \
	MOVO      x, t        \
	PCLMULQDQ $0x00, k, x \
	PCLMULQDQ $0x11, k, t \
	PXOR      there, x    \
	PXOR      t, x

// func fold(crc uint64, p []byte, powers *[4]uint64) (lo, hi uint64)
TEXT ·fold(SB), NOSPLIT, $0-56
	MOVQ  crc+0(FP), X4
	MOVQ  p_base+8(FP), SI
	MOVQ  p_len+16(FP), CX
	MOVQ  powers+32(FP), DX

	MOVOU 0(DX), X8
	MOVOU 16(DX), X9

	MOVOU 0(SI), X0
	MOVOU 16(SI), X1
	MOVOU 32(SI), X2
	MOVOU 48(SI), X3
	PXOR  X4, X0
	ADDQ  $64, SI
	SUBQ  $64, CX

	// Four times 16 bytes at once, because each multiplication waits for the one before.
wide:
	CMPQ  CX, $64
	JLT   join
	MOVOU 0(SI), X10
	MOVOU 16(SI), X11
	MOVOU 32(SI), X12
	MOVOU 48(SI), X13
	CARRY(X8, X10, X0, X4)
	CARRY(X8, X11, X1, X5)
	CARRY(X8, X12, X2, X6)
	CARRY(X8, X13, X3, X7)
	ADDQ  $64, SI
	SUBQ  $64, CX
	JMP   wide

join:
	CARRY(X9, X1, X0, X4)
	CARRY(X9, X2, X0, X4)
	CARRY(X9, X3, X0, X4)

narrow:
	CMPQ  CX, $16
	JLT   done
	MOVOU 0(SI), X1
	CARRY(X9, X1, X0, X4)
	ADDQ  $16, SI
	SUBQ  $16, CX
	JMP   narrow

done:
	MOVQ   X0, lo+40(FP)
	PSRLDQ $8, X0
	MOVQ   X0, hi+48(FP)
	RET
