//go:build !purego

#include "textflag.h"

// CARRY moves the 16 bytes in x over the distance of the powers in k and adds
// the bytes that lie there. It overwrites t.
#define CARRY(k, there, x, t) \
	VPMULL  k.D1, x.D1, t.Q1       \
	VPMULL2 k.D2, x.D2, x.Q1       \
	VEOR    t.B16, x.B16, x.B16    \
	VEOR    there.B16, x.B16, x.B16

// func fold(crc uint64, p []byte, powers *[4]uint64) (lo, hi uint64)
TEXT ·fold(SB), NOSPLIT, $0-56
	MOVD crc+0(FP), R0
	MOVD p_base+8(FP), R1
	MOVD p_len+16(FP), R2
	MOVD powers+32(FP), R3
	VLD1 (R3), [V8.B16, V9.B16]

	VLD1.P 64(R1), [V0.B16, V1.B16, V2.B16, V3.B16]
	VEOR   V4.B16, V4.B16, V4.B16
	VMOV   R0, V4.D[0]
	VEOR   V4.B16, V0.B16, V0.B16
	SUB    $64, R2, R2

	// Four times 16 bytes at once, because each multiplication waits for the one before.
wide:
	CMP    $64, R2
	BLT    join
	VLD1.P 64(R1), [V10.B16, V11.B16, V12.B16, V13.B16]
	CARRY(V8, V10, V0, V4)
	CARRY(V8, V11, V1, V5)
	CARRY(V8, V12, V2, V6)
	CARRY(V8, V13, V3, V7)
	SUB    $64, R2, R2
	B      wide

join:
	CARRY(V9, V1, V0, V4)
	CARRY(V9, V2, V0, V4)
	CARRY(V9, V3, V0, V4)

narrow:
	CMP    $16, R2
	BLT    done
	VLD1.P 16(R1), [V1.B16]
	CARRY(V9, V1, V0, V4)
	SUB    $16, R2, R2
	B      narrow

done:
	VMOV V0.D[0], R0
	VMOV V0.D[1], R3
	MOVD R0, lo+40(FP)
	MOVD R3, hi+48(FP)
	RET
