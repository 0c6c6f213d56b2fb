//! Runs cases through GRUB and through the model.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use coracle_slots::boot_state::{Block, Slot, run};

use crate::disk::{Content, Disk, PartitionTable, Stubs};
use crate::emulator::{Said, boot, tools};

/// One boot.
#[derive(Clone, Debug)]
pub(crate) struct Case {
    /// The two block files; `None` is a missing one.
    pub(crate) files: [Option<Block>; 2],
    /// Slots a and b.
    pub(crate) slots: [Content; 2],
}

/// The frozen script, without its waits.
fn script() -> String {
    let script = include_str!("../../grub/grub.cfg");
    let waits = ["sleep 5\n", "sleep 10;", "sleep 30\n"];
    assert_eq!(script.matches("sleep ").count(), waits.len(), "every wait is known here");
    waits.iter().fold(script.to_owned(), |script, wait| {
        assert_eq!(script.matches(wait).count(), 1, "{wait:?}");
        script.replace(wait, &wait.replace(|c: char| c.is_ascii_digit(), "").replace("sleep ", "sleep 0"))
    })
}

/// Compares every case; fails with all that differ.
pub(crate) fn compare_all(table: PartitionTable, cases: &[Case]) {
    let directory = tempfile::tempdir().unwrap();
    let tools = tools(directory.path());
    let stubs = Stubs::make(&tools, directory.path());
    let script = script();
    let next = AtomicUsize::new(0);
    let worker = |number: usize| {
        let disks = [[true, true], [true, false], [false, true], [false, false]].map(|present| {
            let name = format!("disk-{number}-{}-{}", present[0], present[1]);
            (present, Disk::make(&directory.path().join(name), table, &script, present, stubs.clone()))
        });
        let mut wrong = Vec::new();
        while let Some(case) = cases.get(next.fetch_add(1, Ordering::Relaxed)) {
            let present = case.files.each_ref().map(Option::is_some);
            let (_, disk) = disks.iter().find(|(shape, _)| *shape == present).unwrap();
            disk.set(&case.files, case.slots);
            let said = boot(&tools, disk, table);
            wrong.extend(difference(case, &said, disk.blocks()));
        }
        wrong
    };
    let wrong: Vec<String> = thread::scope(|scope| {
        let workers = [0, 1].map(|number| scope.spawn(move || worker(number)));
        workers.into_iter().flat_map(|worker| worker.join().unwrap()).collect()
    });
    let shown = wrong.iter().take(5).map(String::as_str).collect::<Vec<_>>().join("\n\n");
    assert!(wrong.is_empty(), "{} of {} cases differ:\n{shown}", wrong.len(), cases.len());
    println!("{} cases equal", cases.len());
}

/// What differs between GRUB and the model, if anything.
fn difference(case: &Case, said: &Said, after: [Block; 2]) -> Option<String> {
    let content = |slot: Slot| case.slots[usize::from(slot == Slot::B)];
    let mut files = case.files;
    let outcome = run(&mut files, |slot| content(slot).meaning());
    let passed = |slot: Slot| (slot, format!("{:010}", outcome.seq), format!("{:016x}", outcome.id));
    let spoke = outcome.tried.iter().filter(|slot| content(**slot) != Content::Zeroed);
    let expected = Said { ran: spoke.map(|slot| passed(*slot)).collect(), started: outcome.started.is_some() };
    let mut wrong = String::new();
    if *said != expected {
        wrong += &format!("GRUB:  {said:?}\nmodel: {expected:?}\n");
    }
    for ((name, model), grub) in ["first", "second"].into_iter().zip(files).zip(after) {
        if model.is_some_and(|model| model != grub) {
            wrong += &format!("{name} block, GRUB:\n{}model:\n{}", shown(Some(grub)), shown(model));
        }
    }
    let [first, second] = case.files;
    (!wrong.is_empty())
        .then(|| format!("{:?}\nfirst before:\n{}second before:\n{}{wrong}", case.slots, shown(first), shown(second)))
}

fn shown(block: Option<Block>) -> String {
    block.map_or_else(|| "missing\n".to_owned(), |block| format!("{}\n", block.escape_ascii()))
}
