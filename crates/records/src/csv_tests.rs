//! A file that is split in pieces of any size gives the same records, and writing them gives the same file.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::sync::Arc;

use arrow_array::{Array, ArrayRef, RecordBatch, StringArray};
use proptest::prelude::*;

use super::CsvSplitter;
use crate::{CellStyle, CsvBlock};

/// All records of a file that arrives in pieces of this size, the header first, and the bytes after them.
fn cut(file: &[u8], piece: usize, rows: usize) -> (Vec<CsvBlock>, Vec<u8>) {
    let mut splitter = CsvSplitter::new(b',', 0);
    let mut blocks = Vec::new();
    let mut headed = false;
    for piece in file.chunks(piece) {
        splitter.feed(piece).unwrap();
        if !headed && let Some(header) = splitter.header() {
            blocks.push(header);
            headed = true;
        }
        while headed && let Some(block) = splitter.take(rows) {
            blocks.push(block);
        }
    }
    splitter.finish().unwrap();
    if !headed {
        blocks.extend(splitter.header());
    }
    while let Some(block) = splitter.take(rows) {
        blocks.push(block);
    }
    (blocks, splitter.trailer().to_vec())
}

fn cells(blocks: &[CsvBlock]) -> Vec<Vec<Option<String>>> {
    let mut records = Vec::new();
    for block in blocks {
        let columns: Vec<_> = (0..block.width()).map(|place| block.column(place)).collect();
        for row in 0..block.rows() {
            let cell = |column: &StringArray| column.is_valid(row).then(|| column.value(row).to_owned());
            records.push(columns.iter().map(cell).collect());
        }
    }
    records
}

fn one_column(rows: usize, text: &str) -> RecordBatch {
    let column: ArrayRef = Arc::new(StringArray::from(vec![text; rows]));
    RecordBatch::try_from_iter([("added", column)]).unwrap()
}

fn beside(blocks: &[CsvBlock], dropped: &[usize], added: &str) -> String {
    let mut bytes = Vec::new();
    for block in blocks {
        block.beside(&[one_column(block.rows(), added)], dropped, CellStyle::Plain, &mut bytes).unwrap();
    }
    String::from_utf8(bytes).unwrap()
}

fn some(texts: &[&str]) -> Vec<Option<String>> {
    texts.iter().map(|text| Some((*text).to_owned())).collect()
}

#[test]
fn quotes_line_ends_and_blank_lines_are_read_as_they_are_written() {
    let file = "\u{feff}a,\"b\"\"c\"\r\n\r\n 1,\"x,\ny\"z\"\n\"\",\"\"\r5\" disk,'\n\n";
    let (blocks, trailer) = cut(file.as_bytes(), 3, 2);
    assert_eq!(
        cells(&blocks),
        [some(&["a", "b\"c"]), some(&[" 1", "x,\nyz\""]), some(&["", ""]), some(&["5\" disk", "'"])]
    );
    assert_eq!(trailer, b"\n");
    assert_eq!(
        beside(&blocks, &[], "+"),
        "\u{feff}a,\"b\"\"c\",+\r\n\r\n 1,\"x,\ny\"z\",+\n\"\",\"\",+\r5\" disk,',+\n"
    );
}

#[test]
fn in_a_file_of_one_column_a_blank_line_is_a_record() {
    let (blocks, trailer) = cut(b"mail\na\n\nb", 1, 10);
    assert_eq!(cells(&blocks), [some(&["mail"]), some(&["a"]), some(&[""]), some(&["b"])]);
    assert_eq!(trailer, b"");
    assert_eq!(beside(&blocks, &[], "+"), "mail,+\na,+\n,+\nb,+");
}

#[test]
fn short_records_are_filled_up_and_dropped_cells_left_out() {
    let (blocks, _) = cut(b"a,b,c,d\n1\n1,2,\"3\",4\n", 100, 10);
    assert_eq!(beside(&blocks, &[], "+"), "a,b,c,d,+\n1,,,,+\n1,2,\"3\",4,+\n");
    assert_eq!(beside(&blocks, &[1, 2], "+"), "a,d,+\n1,,+\n1,4,+\n");
    assert_eq!(beside(&blocks, &[0], "+"), "b,c,d,+\n,,,+\n2,\"3\",4,+\n");
}

#[test]
fn delimiters_at_the_end_of_records_are_no_cells() {
    let file = b"a,b\n1,2,\n3,4,,,\r\n5\n6,,\n\"7,\",8, ,\n";
    for piece in 1..file.len() {
        let (blocks, _) = cut(file, piece, 2);
        let rows = cells(&blocks);
        let expected = [["1", "2"], ["3", "4"], ["5", "-"], ["6", ""], ["7,", "8"]]
            .map(|row| row.map(|cell| (cell != "-").then(|| cell.to_owned())));
        assert_eq!(rows.get(1..), Some(&expected.map(Vec::from)[..]));
        assert_eq!(beside(&blocks, &[], "x"), "a,b,x\n1,2,x\n3,4,x\r\n5,,x\n6,,x\n\"7,\",8,x\n");
    }
    let mut splitter = CsvSplitter::new(b',', 0);
    let told = splitter.feed(b"a,b\n1,2,,3\n").expect_err("four cells").to_string();
    assert!(told.starts_with("the record in line 2 has 4 cells"));
}

#[test]
fn lines_before_the_header_are_kept() {
    let mut splitter = CsvSplitter::new(b';', 13);
    for byte in b"sep=;\nNote,,\na;b\n1;2\n" {
        splitter.feed(&[*byte]).expect("a file");
    }
    splitter.finish().expect("a file");
    let header = splitter.header().expect("a header");
    assert_eq!(header.width(), 2);
    let mut blocks = vec![header];
    blocks.extend(splitter.take(9));
    assert_eq!(beside(&blocks, &[], "x"), "sep=;\nNote,,\na;b;x\n1;2;x\n");
}

#[test]
fn what_is_broken_is_named_by_its_line_and_never_shown() {
    let broken = |file: &[u8]| {
        let mut splitter = CsvSplitter::new(b',', 0);
        splitter.feed(file).and_then(|()| splitter.finish()).unwrap_err().to_string()
    };
    let told = broken(b"a,b\n1,2\n\"x\ny\",2,secret\n");
    assert_eq!(told, "the record in line 3 has 3 cells, the header 2: quote the cells that hold a delimiter");
    let told = broken(b"a,b\n1,2\n\n1,\"secret\n\n");
    assert_eq!(told, "the quoted cell that begins in line 4 never ends: put its closing quote");
}

#[test]
fn what_is_not_utf8_stays_what_it_is_and_is_no_text() {
    let (blocks, _) = cut(b"a,b\nM\xfcller,2\n", 100, 10);
    let told = blocks.last().unwrap().text(0).unwrap_err().to_string();
    assert_eq!(told, "the record in line 2 is not UTF-8");
    let mut bytes = Vec::new();
    let block = blocks.last().unwrap();
    block.beside(&[one_column(1, "+")], &[], CellStyle::Plain, &mut bytes).unwrap();
    assert_eq!(bytes, b"M\xfcller,2,+\n");
}

#[test]
fn a_spreadsheet_is_given_no_formula() {
    let (blocks, _) = cut(b"a\n1\n", 100, 10);
    let defused = |text: &str| {
        let mut bytes = Vec::new();
        let block = blocks.last().unwrap();
        block.beside(&[one_column(1, text)], &[], CellStyle::Defused, &mut bytes).unwrap();
        String::from_utf8(bytes).unwrap()
    };
    for formula in ["=1+1", "+1+1", "-x", "@SUM(A1)", "+", "+1234567890123456", "＝1", "+17734749362;=1"] {
        assert_eq!(defused(formula), format!("1,'{formula}\n"));
    }
    assert_eq!(defused("\t=1"), "1,'\t=1\n");
    assert_eq!(defused("\r=1"), "1,\"'\r=1\"\n");
    for plain in ["+17734749362", "+17734749362;+442071838750", "ana", "1-2", "'", ""] {
        assert_eq!(defused(plain), format!("1,{plain}\n"));
    }
}

/// Text that is difficult for a search for quotes and line ends.
fn hostile() -> impl Strategy<Value = String> {
    "([\",;\r\n\t =a\u{feff}é]|\"\"|\r\n){0,40}"
}

proptest! {
    #[test]
    fn a_file_is_cut_alike_in_pieces_of_any_size(file in hostile(), piece in 1_usize..9, rows in 1_usize..4) {
        let file = format!("{file}\"\n");
        let is_file = |piece| {
            let mut splitter = CsvSplitter::new(b',', 0);
            let fed = file.as_bytes().chunks(piece).try_for_each(|piece| splitter.feed(piece));
            fed.and_then(|()| splitter.finish()).is_ok()
        };
        prop_assert_eq!(is_file(file.len()), is_file(piece));
        if !is_file(piece) {
            return Ok(());
        }
        let (at_once, trailer) = cut(file.as_bytes(), file.len(), usize::MAX);
        let (in_pieces, same_trailer) = cut(file.as_bytes(), piece, rows);
        prop_assert_eq!(cells(&at_once), cells(&in_pieces));
        prop_assert_eq!(&trailer, &same_trailer);
        let written = beside(&at_once, &[], "+") + &String::from_utf8_lossy(&trailer);
        prop_assert_eq!(beside(&in_pieces, &[], "+") + &String::from_utf8_lossy(&trailer), written);
    }

    #[test]
    fn cells_of_any_text_come_back(
        table in prop::collection::vec(prop::collection::vec(hostile(), 2..=3), 1..6), piece in 1_usize..9
    ) {
        let (mut file, mut expected) = (b"a,b,c\n".to_vec(), b"a,b,c,+\n".to_vec());
        for record in &table {
            let mut text = Vec::new();
            for (nth, cell) in record.iter().enumerate() {
                if nth > 0 {
                    text.push(b',');
                }
                crate::writing::quoted(cell.as_bytes(), b',', &mut text);
            }
            file.extend_from_slice(&[&text, &b"\n"[..]].concat());
            let lacking = &b",,"[..3 - record.len()];
            expected.extend_from_slice(&[&text, lacking, b",+\n"].concat());
        }
        let (blocks, _) = cut(&file, piece, 2);
        let read = cells(&blocks);
        for (record, expected) in read.iter().skip(1).zip(&table) {
            let read: Vec<_> = record.iter().flatten().collect();
            prop_assert_eq!(read, expected.iter().collect::<Vec<_>>());
        }
        prop_assert_eq!(read.len(), table.len() + 1);
        let written = beside(&blocks, &[], "+");
        prop_assert_eq!(written.as_bytes(), expected);
        // Run again on its own output it gives the same bytes.
        let (again, _) = cut(written.as_bytes(), piece, 2);
        prop_assert_eq!(beside(&again, &[3], "+"), written);
    }
}
