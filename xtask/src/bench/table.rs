//! Rows of figures, printed as they come and as a table of medians at the end.
#![allow(clippy::print_stdout)]

/// One figure for each column.
pub(super) type Row = Vec<f64>;

/// All runs of one measurement.
pub(super) struct Table {
    columns: Vec<&'static str>,
    subjects: Vec<(String, Vec<Row>)>,
    notes: Vec<String>,
}

impl Table {
    pub(super) fn new(columns: &[&'static str]) -> Self {
        Self { columns: columns.to_vec(), subjects: Vec::new(), notes: Vec::new() }
    }

    /// Adds one run.
    pub(super) fn add(&mut self, subject: &str, round: usize, row: Row) {
        let figures: Vec<String> = self
            .columns
            .iter()
            .zip(&row)
            .map(|(column, figure)| format!("{column} {}", shown(*figure)))
            .collect();
        println!("  {} · {subject}: {}", round + 1, figures.join(" · "));
        match self.subjects.iter_mut().find(|(name, _)| name == subject) {
            Some((_, rows)) => rows.push(row),
            None => self.subjects.push((subject.to_owned(), vec![row])),
        }
    }

    /// Adds a line below the table.
    pub(super) fn note(&mut self, note: String) {
        println!("  {note}");
        self.notes.push(note);
    }

    /// Prints the medians.
    pub(super) fn print(&self) {
        println!("\n| | {} |\n|---|{}", self.columns.join(" | "), "---|".repeat(self.columns.len()));
        for (subject, rows) in &self.subjects {
            let medians: Vec<String> = (0..self.columns.len())
                .map(|column| shown(median(rows.iter().map(|row| row[column]).collect())))
                .collect();
            println!("| {subject} | {} |", medians.join(" | "));
        }
        println!();
        for note in &self.notes {
            println!("- {note}");
        }
    }
}

fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    match figures.len() {
        0 => 0.0,
        length if length % 2 == 1 => figures[length / 2],
        length => f64::midpoint(figures[length / 2 - 1], figures[length / 2]),
    }
}

fn shown(figure: f64) -> String {
    if figure >= 100.0 { format!("{figure:.0}") } else { format!("{figure:.2}") }
}

#[cfg(test)]
mod tests {
    use super::median;

    #[test]
    fn medians() {
        for (figures, expected) in [(vec![3.0, 1.0, 2.0], 2.0), (vec![4.0, 1.0], 2.5), (vec![7.0], 7.0)] {
            assert!((median(figures) - expected).abs() < 1e-9);
        }
    }
}
