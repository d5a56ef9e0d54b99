//! How arrays lie in memory: the order of their axes there.

/// The most axes that NumPy supports.
pub(crate) const MAX_AXES: usize = 64;

/// The order of axes in memory, which is always one piece.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Layout<'a> {
    /// The last one innermost.
    InOrder,
    /// These from the outermost to the innermost: each axis once.
    Axes(&'a [usize]),
    /// Whichever order the array has: for kernels that work element by element.
    Own,
}

impl Layout<'_> {
    /// Whether elements of `size` bytes lie so, given lengths of axes and bytes from index to index.
    #[inline]
    pub(crate) fn fits(self, shape: &[usize], strides: &[isize], size: usize) -> bool {
        if shape.contains(&0) {
            return true;
        }
        let mut step = size as isize;
        let mut next = |axis: usize| {
            let fits = shape[axis] == 1 || strides[axis] == step;
            step *= shape[axis] as isize;
            fits
        };
        match self {
            Self::InOrder => (0..shape.len()).rev().all(next),
            Self::Axes(order) => order.iter().rev().all(|&axis| next(axis)),
            Self::Own => memory_order(strides).iter().rev().all(|&axis| next(axis)),
        }
    }
}

/// The axes of an array from the longest step in memory to the shortest.
pub(crate) fn memory_order(strides: &[isize]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..strides.len()).collect();
    order.sort_by_key(|&axis| std::cmp::Reverse(strides[axis].unsigned_abs()));
    order
}

/// Images with their channels innermost: the axes of `[batch, channels, sizes...]` in memory.
pub(crate) fn channels_last(rank: usize) -> Layout<'static> {
    match rank {
        3 => Layout::Axes(&[0, 2, 1]),
        4 => Layout::Axes(&[0, 2, 3, 1]),
        5 => Layout::Axes(&[0, 2, 3, 4, 1]),
        _ => Layout::InOrder,
    }
}
