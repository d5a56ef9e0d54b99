//! One thread's rows of a convolution of narrow groups.

use super::Narrow;
use super::interleave::{Columns, Source};
use crate::conv::Geometry;
use crate::isa::to_bytes::Lanes;
use crate::isa::{Isa, Kernel, LANES};
use crate::parallel::Window;
use crate::requant::Plan;

/// Quads of a row's columns stay within this many bytes, and input rows that are worked on before the
/// next chunk of channels: both live in L1.
const ROW_BYTES: usize = 24 * 1024;

/// Output rows of one thread: the window holds whole rows of pixels.
pub(in crate::conv) struct Part<'a, 'w> {
    pub layer: &'a Narrow,
    pub plan: &'a Plan,
    /// Channels-last input, with the sizes of input and output.
    pub x: &'a [u8],
    pub input: [usize; 3],
    pub output: [usize; 3],
    pub zero_point: u8,
    pub window: &'a mut Window<'w, u8>,
}

/// What is made once for all rows.
struct Made<'a, I: Isa> {
    /// `[block][row of the output][kernel column][quad]`, as the level wants them.
    weights: Vec<I::QuadWeights>,
    source: Source<'a, I>,
    /// A row of zero points, with 16 bytes more.
    outside: &'a [u8],
    /// The input from here on is too short for a row with 16 bytes more, and stands, with them, in `end`.
    last: usize,
    end: &'a [u8],
}

/// Output rows that are made of the same quads.
struct Lines<'a> {
    first: usize,
    count: usize,
    /// The input rows under their kernels, each of them and 16 bytes more.
    rows: Vec<&'a [u8]>,
}

impl Kernel for Part<'_, '_> {
    type Output = ();

    #[inline(always)]
    fn run<I: Isa>(mut self, isa: I) {
        // The usual shapes have loops of fixed length: 1.5 to 2 times as fast as the general one.
        let Narrow { geometry, quads, share, .. } = *self.layer;
        match (geometry.kernel[2], quads, share) {
            (3, 1, 2) => self.rows::<I, 3, 1, 2>(isa),
            (3, 1, 1) => self.rows::<I, 3, 1, 1>(isa),
            (3, 3, 1) => self.rows::<I, 3, 3, 1>(isa),
            (3, 6, 1) => self.rows::<I, 3, 6, 1>(isa),
            (5, 2, 4) => self.rows::<I, 5, 2, 4>(isa),
            (5, 2, 2) => self.rows::<I, 5, 2, 2>(isa),
            _ => self.rows::<I, 0, 0, 0>(isa),
        }
    }
}

impl Part<'_, '_> {
    /// All rows, for kernels of `W` columns, `Q` quads a column and `R` rows at once; zeros mean any.
    #[inline(always)]
    fn rows<I: Isa, const W: usize, const Q: usize, const R: usize>(&mut self, isa: I) {
        let Self { layer, input, output, zero_point, x, .. } = *self;
        let Geometry { kernel, stride, padding, dilation, .. } = layer.geometry;
        let row = input[2] * layer.inputs;
        let outside = vec![zero_point; row + LANES];
        let last = x.len().saturating_sub(row + LANES);
        let mut end = x[last..].to_vec();
        end.resize(end.len() + LANES, 0);
        let mut weights = Vec::with_capacity(layer.weights.len());
        for block in &layer.weights {
            weights.push(isa.quad_weights(block));
        }
        let source = Source::new(isa, layer);
        let made = Made::<I> { weights, source, outside: &outside, last, end: &end };
        let used = (output[2] - 1) * stride[2] + (kernel[2] - 1) * dilation[2] + 1;
        let place = (used, padding[2], input[2]);
        let most = ROW_BYTES / (used * layer.quads * size_of::<I::Quad>());
        let mut columns = Columns::new(isa, place, layer.quads, zero_point);
        let mut spare = vec![0; if R > 1 { R * output[2] * layer.outputs } else { 0 }];
        let rows = self.window.rows();
        let lines = rows.start / output[2]..rows.end / output[2];
        let fit = (ROW_BYTES / row / stride[1]).max(layer.share).next_multiple_of(layer.share);
        for start in lines.clone().step_by(fit) {
            let block = self.locate(start..lines.end.min(start + fit), &made);
            for (first, blocks) in layer.chunks(most.max(1)) {
                for lines in &block {
                    match blocks {
                        4 => self.chunk::<I, W, Q, R, 4>(
                            isa,
                            &made,
                            &mut columns,
                            first,
                            lines,
                            &mut spare,
                        ),
                        2 => self.chunk::<I, W, Q, R, 2>(
                            isa,
                            &made,
                            &mut columns,
                            first,
                            lines,
                            &mut spare,
                        ),
                        _ => self.chunk::<I, W, Q, R, 1>(
                            isa,
                            &made,
                            &mut columns,
                            first,
                            lines,
                            &mut spare,
                        ),
                    }
                }
            }
        }
    }

    /// Groups output rows that share quads and finds their input rows.
    fn locate<'s, I: Isa>(
        &self,
        lines: std::ops::Range<usize>,
        made: &Made<'s, I>,
    ) -> Vec<Lines<'s>>
    where
        Self: 's,
    {
        let height = self.output[1];
        let mut found = Vec::new();
        let mut first = lines.start;
        while first < lines.end {
            let count = self.layer.share.min(height - first % height).min(lines.end - first);
            found.push(Lines { first, count, rows: self.input_rows(first, made) });
            first += count;
        }
        found
    }

    /// The input rows under the kernel of output row `line` and those that share its quads.
    fn input_rows<'s, I: Isa>(&self, line: usize, made: &Made<'s, I>) -> Vec<&'s [u8]>
    where
        Self: 's,
    {
        let Self { layer, input, output, .. } = *self;
        let Geometry { kernel, stride, padding, dilation, .. } = layer.geometry;
        let image = line / (output[0] * output[1]);
        let corner = [line / output[1] % output[0] * stride[0], line % output[1] * stride[1]];
        let height = layer.lines / kernel[0];
        let row = input[2] * layer.inputs;
        let mut rows = Vec::with_capacity(layer.lines.next_multiple_of(4));
        for at in 0..layer.lines.next_multiple_of(4) {
            // A coordinate above the image wraps around and fails like one below it.
            let d = (corner[0] + at / height * dilation[0]).wrapping_sub(padding[0]);
            let h = (corner[1] + at % height * dilation[1]).wrapping_sub(padding[1]);
            let inside = at < layer.lines && d < input[0] && h < input[1];
            let start = || ((image * input[0] + d) * input[1] + h) * row;
            let len = row + LANES;
            rows.push(match inside {
                true if start() < made.last => &self.x[start()..][..len],
                true => &made.end[start() - made.last..][..len],
                false => made.outside,
            });
        }
        rows
    }

    /// The outputs of `V` blocks of channels in `lines`.
    #[inline(always)]
    fn chunk<I: Isa, const W: usize, const Q: usize, const R: usize, const V: usize>(
        &mut self,
        isa: I,
        made: &Made<'_, I>,
        columns: &mut Columns<I>,
        first: usize,
        lines: &Lines<'_>,
        spare: &mut [u8],
    ) {
        let Self { layer, plan, output, .. } = *self;
        let columns = columns.fill::<Q, V>(isa, &made.source, &lines.rows, first);
        let weights = &made.weights[first * layer.blocks()..][..V * layer.blocks()];
        let lanes = plan.lanes::<I, V>(isa, first);
        let pixels = lines.first * output[2]..(lines.first + lines.count) * output[2];
        let out = self.window.whole_rows(pixels);
        let row = output[2] * layer.outputs;
        if W == 0 {
            for (r, out) in out.chunks_exact_mut(row).enumerate() {
                any_row(isa, (layer, columns, weights, &lanes, first), r, out);
            }
            return;
        }
        // Rows below the image go where nobody looks.
        let mut rows = out.chunks_exact_mut(row).chain(spare.chunks_exact_mut(row));
        let out: [&mut [u8]; R] = std::array::from_fn(|_| rows.next().expect("R spare rows"));
        let work = (layer, columns, weights, &lanes, first);
        if (first + V) * LANES <= layer.outputs {
            fixed_rows::<I, W, Q, R, V, true>(isa, work, out);
        } else {
            fixed_rows::<I, W, Q, R, V, false>(isa, work, out);
        }
    }
}

/// A layer, and the quads of columns, weights, plans and first block of a chunk.
type Work<'a, I, const V: usize> =
    (&'a Narrow, &'a [<I as Isa>::Quad], &'a [<I as Isa>::QuadWeights], &'a [Lanes<I>; V], usize);

/// `R` rows of outputs of a kernel of `W` columns with `Q` quads. `WHOLE`: all `V` blocks have 16 outputs.
#[inline(always)]
fn fixed_rows<
    I: Isa,
    const W: usize,
    const Q: usize,
    const R: usize,
    const V: usize,
    const WHOLE: bool,
>(
    isa: I,
    (layer, columns, weights, lanes, first): Work<'_, I, V>,
    mut out: [&mut [u8]; R],
) {
    let Geometry { stride, dilation, .. } = layer.geometry;
    let weights = &weights[..V * R * W * Q];
    // A copy: out of registers, where they fit, instead of memory that `out` might overlap.
    let mut own = [[[[weights[0]; V]; Q]; W]; R];
    for r in 0..R {
        for kw in 0..W {
            for q in 0..Q {
                for v in 0..V {
                    own[r][kw][q][v] = weights[((v * R + r) * W + kw) * Q + q];
                }
            }
        }
    }
    let outputs = layer.outputs;
    let len = out[0].len();
    for r in 0..R {
        out[r] = &mut std::mem::take(&mut out[r])[..len];
    }
    let (mut from, mut at) = (first * LANES, 0);
    let end = from + len - outputs;
    let (step, apart) = (stride[2] * Q * V, dilation[2] * Q * V);
    while from <= end {
        let mut sums = [[lanes[0].start; V]; R];
        for r in 0..R {
            for v in 0..V {
                sums[r][v] = lanes[v].start;
            }
        }
        for kw in 0..W {
            let column = &columns[at + kw * apart..][..Q * V];
            for q in 0..Q {
                for r in 0..R {
                    for v in 0..V {
                        sums[r][v] = isa.quad_dot(sums[r][v], column[q * V + v], own[r][kw][q][v]);
                    }
                }
            }
        }
        for r in 0..R {
            if WHOLE {
                let room = out[r][from..from + V * LANES].as_chunks_mut::<LANES>().0;
                let room = room.first_chunk_mut::<V>().expect("V blocks");
                Lanes::store(isa, lanes, sums[r], room);
            } else {
                let to = from + outputs - first * LANES;
                Lanes::put(isa, lanes, sums[r], &mut out[r][from..to]);
            }
        }
        from += outputs;
        at += step;
    }
}

/// The `r`-th row of outputs that share quads, of any kernel.
#[inline(always)]
fn any_row<I: Isa, const V: usize>(
    isa: I,
    (layer, columns, weights, lanes, first): Work<'_, I, V>,
    r: usize,
    out: &mut [u8],
) {
    let Geometry { kernel, stride, dilation, .. } = layer.geometry;
    let quads = layer.quads;
    for (ow, out) in out.chunks_exact_mut(layer.outputs).enumerate() {
        let mut sums = [lanes[0].start; V];
        for v in 0..V {
            sums[v] = lanes[v].start;
        }
        for kw in 0..kernel[2] {
            let at = (ow * stride[2] + kw * dilation[2]) * quads * V;
            let column = &columns[at..][..quads * V];
            for v in 0..V {
                let own = v * layer.blocks() + (r * kernel[2] + kw) * quads;
                for (q, &weights) in weights[own..][..quads].iter().enumerate() {
                    sums[v] = isa.quad_dot(sums[v], column[q * V + v], weights);
                }
            }
        }
        let to = layer.outputs.min((first + V) * LANES);
        Lanes::put(isa, lanes, sums, &mut out[first * LANES..to]);
    }
}
