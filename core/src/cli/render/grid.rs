//! Columns of plain text, as wide as what is in them.

use super::text::columns;

/// Spaces between two columns.
const GAP: usize = 2;

/// Titles and rows in columns; those whose titles begin with `>` stand at the right, as figures do.
pub(super) fn grid(titles: &[&str], rows: &[Vec<String>]) -> String {
    let names = titles.iter().map(|title| title.trim_start_matches('>').to_owned()).collect::<Vec<_>>();
    let all = || std::iter::once(&names).chain(rows);
    let width = |column: usize| all().filter_map(|row| row.get(column)).map(|cell| columns(cell)).max();
    let widths: Vec<usize> = (0..titles.len()).map(|column| width(column).unwrap_or(0)).collect();
    let mut text = String::new();
    for row in all() {
        let mut line = String::new();
        for ((cell, width), title) in row.iter().zip(&widths).zip(titles) {
            let space = " ".repeat(width.saturating_sub(columns(cell)));
            let (before, after) =
                if title.starts_with('>') { (space, String::new()) } else { (String::new(), space) };
            line.extend([&*before, cell, &*after, &*" ".repeat(GAP)]);
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_what_is_in_them() {
        let rows = [vec!["käse".to_owned(), "7".to_owned()], vec!["a".to_owned(), "1024".to_owned()]];
        assert_eq!(grid(&["NAME", ">N"], &rows), "NAME     N\nkäse     7\na     1024\n");
    }
}
