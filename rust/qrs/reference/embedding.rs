//! Bags of quantized rows, one value at a time.

use crate::embedding::Mode;

/// A row's bytes (or half bytes), scale and zero point, and its factor.
#[derive(Clone, Debug)]
pub struct Row {
    /// Stored integers.
    pub values: Vec<u8>,
    /// Real units per step.
    pub scale: f32,
    /// What stands for 0.
    pub zero_point: f32,
    /// What the row is multiplied with.
    pub weight: f32,
}

/// What a bag of rows of `dim` values comes to.
#[must_use]
pub fn bag(rows: &[Row], dim: usize, mode: Mode) -> Vec<f32> {
    (0..dim)
        .map(|place| {
            let mut total = 0.0_f32;
            for (i, row) in rows.iter().enumerate() {
                let q = f32::from(row.values[place]);
                let offset = -row.zero_point * row.scale;
                if mode == Mode::Max {
                    let value = q.mul_add(row.scale, offset);
                    total = if i == 0 || value > total { value } else { total };
                } else {
                    total = q.mul_add(row.scale * row.weight, total + offset * row.weight);
                }
            }
            if mode == Mode::Mean && !rows.is_empty() { total / rows.len() as f32 } else { total }
        })
        .collect()
}
