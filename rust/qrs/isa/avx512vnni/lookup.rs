//! A table of 256 bytes, asked 64 bytes at a time.

use std::arch::x86_64::{
    __m512i, _mm512_loadu_si512, _mm512_mask_blend_epi8, _mm512_movepi8_mask,
    _mm512_permutex2var_epi8, _mm512_storeu_si512,
};

/// Table lookup: two 128-byte permutes, chosen by bit 7 of the index.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni,avx512vbmi,avx2,fma")]
pub(super) fn lookup(table: &[u8; 256], src: &[u8], dst: &mut [u8]) {
    let n = src.len().min(dst.len());
    let (chunks, rest) = src[..n].as_chunks::<64>();
    let (rooms, tail) = dst[..n].as_chunks_mut::<64>();
    let (rows, _) = table.as_chunks::<64>();
    // SAFETY: for the whole block: the enclosing function carries the features; each load and store goes
    // through an array of its size.
    unsafe {
        let t: [__m512i; 4] = std::array::from_fn(|i| _mm512_loadu_si512(rows[i].as_ptr().cast()));
        for (chunk, room) in chunks.iter().zip(rooms) {
            let index = _mm512_loadu_si512(chunk.as_ptr().cast());
            let low = _mm512_permutex2var_epi8(t[0], index, t[1]);
            let high = _mm512_permutex2var_epi8(t[2], index, t[3]);
            let out = _mm512_mask_blend_epi8(_mm512_movepi8_mask(index), low, high);
            _mm512_storeu_si512(room.as_mut_ptr().cast(), out);
        }
    }
    for (d, s) in tail.iter_mut().zip(rest) {
        *d = table[usize::from(*s)];
    }
}
