use bytes::Bytes;
use ident::Signal;

use super::*;

fn at(segment: u64, offset: u64) -> Position {
    Position { segment, offset }
}

fn block(segment: u64, offset: u64) -> Block {
    Block {
        position: at(segment, offset),
        next: at(segment, offset + 10),
        tenant: "a".parse().unwrap(),
        signal: Signal::Traces,
        items: 20,
        records: 1,
        min_time_unix_nano: 0,
        max_time_unix_nano: 0,
        appended_unix_nano: 0,
        payload: Bytes::new(),
    }
}

/// Another selection for each block.
fn selection(block: &Block) -> Selection {
    let mut selection = Selection::default();
    let seed = block.position.offset + block.position.segment;
    (0..20).for_each(|item| selection.push(seed % 7 != 3 && (item * seed) % 5 < 2));
    selection
}

fn blocks() -> Vec<Block> {
    let places = (1..=3).flat_map(|segment| (0..2000).map(move |n| (segment, 64 + n * 10)));
    places
        .map(|(segment, offset)| block(segment, offset))
        .collect()
}

fn open(dir: &Path) -> Writer {
    Writer::open(dir, at(1, 64), Unknown::Whole).unwrap()
}

#[test]
fn a_reader_finds_each_decision_at_its_own_pace() {
    let dir = tempfile::tempdir().unwrap();
    let mut writer = open(dir.path());
    let blocks = blocks();
    let (mut near, mut far) = (writer.decisions().reader(), writer.decisions().reader());
    for block in &blocks {
        assert_eq!(near.look_up(block.position).unwrap(), Look::Undecided);
        writer.push(block, &selection(block)).unwrap();
        writer.flush().unwrap();
        let found = near.look_up(block.position).unwrap();
        assert_eq!(found, Look::Decided(selection(block)));
    }
    for block in blocks.iter().step_by(37) {
        let found = far.look_up(block.position).unwrap();
        assert_eq!(found, Look::Decided(selection(block)));
    }
    // Backwards, between two blocks, before all.
    let found = far.look_up(blocks[5].position).unwrap();
    assert_eq!(found, Look::Decided(selection(&blocks[5])));
    let unknown = Look::Unknown(Unknown::Whole);
    assert_eq!(far.look_up(at(1, 75)).unwrap(), unknown);
    assert_eq!(far.look_up(at(0, 64)).unwrap(), unknown);
    writer.prune(3).unwrap();
    assert_eq!(far.look_up(at(2, 64)).unwrap(), unknown);
    writer.decisions().complete();
    assert_eq!(near.look_up(at(4, 64)).unwrap(), Look::Ended);
}

/// Guarantees: RESTARTABLE; wherever a crash cuts the file, what is before it stays and writing
/// goes on after it.
#[test]
fn a_torn_file_is_cut_and_goes_on() {
    let blocks: Vec<Block> = (0..12).map(|n| block(7, 64 + n * 10)).collect();
    let whole = tempfile::tempdir().unwrap();
    let mut writer = open(whole.path());
    for block in &blocks {
        writer.push(block, &selection(block)).unwrap();
    }
    writer.sync().unwrap();
    let path = path_of(whole.path(), 7);
    let bytes = fs::read(&path).unwrap();
    for cut in 0..bytes.len() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(path_of(dir.path(), 7), &bytes[..cut]).unwrap();
        let mut writer = open(dir.path());
        let until = writer.until();
        let done = blocks.iter().filter(|block| block.next <= until).count();
        assert!(done < blocks.len(), "cut at {cut}");
        for block in &blocks[done..] {
            writer.push(block, &selection(block)).unwrap();
        }
        writer.flush().unwrap();
        assert_eq!(
            fs::read(path_of(dir.path(), 7)).unwrap(),
            bytes,
            "cut at {cut}"
        );
    }
}
