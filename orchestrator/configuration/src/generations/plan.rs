//! What is new, what is kept and what holds. Pure.

use std::collections::BTreeSet;

use sha2::{Digest as _, Sha256};

use super::{Condition, Generation, KEPT, LAST, Reason, Stored};
use crate::{MachineConfiguration, Origin, Problems, parse};

/// What a source held at this boot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Document {
    /// The source.
    pub source: Origin,
    /// Its bytes.
    pub bytes: Vec<u8>,
}

/// What is to be done, and what holds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Actions {
    /// Generations to write, in this order.
    pub store: Vec<New>,
    /// Numbers of generations to remove once all are written.
    pub remove: Vec<u64>,
    /// The configuration that holds; none when there was never a right one, and then everything has its default.
    pub active: Option<Active>,
    /// What is not used, and why.
    pub conditions: Vec<Condition>,
}

/// A generation to write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct New {
    /// Its number.
    pub number: u64,
    /// What it holds.
    pub generation: Generation,
}

/// The configuration that holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Active {
    /// Its generation.
    pub number: u64,
    /// Name of its source.
    pub source: String,
    /// What it says.
    pub configuration: MachineConfiguration,
}

/// Decides. A source is new when its digest is not that of its newest generation; of several new ones the later in
/// `documents` becomes the newer generation. The newest generation that can be read holds, whatever its source.
#[must_use]
pub fn plan(documents: &[Document], stored: &[Stored]) -> Actions {
    let mut actions = Actions::default();
    let mut stored: Vec<&Stored> = stored.iter().collect();
    stored.sort_by_key(|stored| std::cmp::Reverse(stored.number));
    let mut last = stored.first().map_or(0, |newest| newest.number);

    for document in documents {
        let generation = Generation {
            source: document.source.name().to_owned(),
            digest: Sha256::digest(&document.bytes).into(),
            document: document.bytes.clone(),
        };
        let known = stored.iter().filter_map(|stored| stored.content.as_ref().ok());
        if known
            .into_iter()
            .find(|known| known.source == generation.source)
            .is_some_and(|known| known.digest == generation.digest)
        {
            continue;
        }
        match parse(&document.bytes, document.source) {
            Err(problems) => actions.conditions.push(invalid(&generation.source, &problems)),
            Ok(configuration) => {
                last = last.saturating_add(1);
                actions.active = Some(Active { number: last, source: generation.source.clone(), configuration });
                if last <= LAST {
                    actions.store.push(New { number: last, generation });
                } else {
                    let message = format!("{}: there is no number left for another generation", generation.source);
                    actions.conditions.push(Condition { reason: Reason::NotStored, message });
                }
            }
        }
    }
    if actions.active.is_none() {
        actions.active = newest_right(&stored, &mut actions.conditions);
    }
    actions.remove = superfluous(&stored, &actions);
    actions
}

/// The newest generation that this release can read. What stands before it is told.
fn newest_right(stored: &[&Stored], conditions: &mut Vec<Condition>) -> Option<Active> {
    for Stored { number, content } in stored {
        let message = match content {
            Err(unusable) => format!("generation {number} {unusable}"),
            Ok(generation) => match parse(&generation.document, origin(&generation.source)) {
                Ok(configuration) => {
                    return Some(Active { number: *number, source: generation.source.clone(), configuration });
                }
                Err(problems) => {
                    format!("generation {number} from {} is not right for this release: {problems}", generation.source)
                }
            },
        };
        conditions.push(Condition { reason: Reason::Invalid, message });
    }
    None
}

/// By the rules of which source a generation is read. One of a source that this release does not know has passed those of
/// its own.
fn origin(source: &str) -> Origin {
    Origin::OF_DEVICE.into_iter().find(|origin| origin.name() == source).unwrap_or(Origin::Esp)
}

fn invalid(source: &str, problems: &Problems) -> Condition {
    Condition { reason: Reason::Invalid, message: format!("{source}: {problems}") }
}

/// Generations that nobody needs any more. The newest one of each source says whether the source is new; files of a
/// later release are not ours to remove.
fn superfluous(stored: &[&Stored], actions: &Actions) -> Vec<u64> {
    if actions.store.is_empty() {
        return Vec::new();
    }
    let mut kept = actions.store.len();
    let mut sources: BTreeSet<&str> = actions.store.iter().map(|new| new.generation.source.as_str()).collect();
    let active = actions.active.as_ref().map(|active| active.number);
    let mut remove = Vec::new();
    for Stored { number, content } in stored {
        let needed = match content {
            Err(super::Unusable::Newer(_)) => continue,
            Err(super::Unusable::Damaged) => false,
            // Both have to be looked at, so that the older ones of a source are not taken for its newest.
            Ok(generation) => sources.insert(&generation.source) | (kept < KEPT) | (active == Some(*number)),
        };
        if needed {
            kept = kept.saturating_add(1);
        } else {
            remove.push(*number);
        }
    }
    remove
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::generations::Unusable;

    const A: &str = "node-name: a\n";
    const B: &str = "node-name: b\n";
    const CLOUD: &str = "#coracle-config\nnode-name: c\n";
    const WRONG: &str = "node-nam: x\n";

    fn document(source: Origin, text: &str) -> Document {
        Document { source, bytes: text.as_bytes().to_vec() }
    }

    fn stored(number: u64, source: &str, text: &str) -> Stored {
        let document = text.as_bytes().to_vec();
        let digest = Sha256::digest(&document).into();
        Stored { number, content: Ok(Generation { source: source.to_owned(), digest, document }) }
    }

    /// Numbers written and removed, the active one with its node's name, and the messages.
    type Shown = (Vec<u64>, Vec<u64>, Option<(u64, String)>, Vec<String>);

    fn shown(documents: &[Document], generations: &[Stored]) -> Shown {
        let actions = plan(documents, generations);
        let active = actions.active.map(|active| (active.number, active.configuration.node_name.unwrap_or_default()));
        let messages = actions.conditions.into_iter().map(|condition| condition.message).collect();
        (actions.store.iter().map(|new| new.number).collect(), actions.remove, active, messages)
    }

    #[test]
    fn new_sources_become_generations_and_the_newest_right_one_holds() {
        let esp = |text| document(Origin::Esp, text);
        let cloud = |text| document(Origin::NoCloud, text);
        let one = stored(1, "esp", A);
        let two = stored(2, "nocloud", CLOUD);
        for (about, documents, generations, store, active) in [
            ("nothing at all", vec![], vec![], vec![], None),
            ("a first boot", vec![esp(A)], vec![], vec![1], Some((1, "a"))),
            ("both new: NoCloud is the newer", vec![esp(A), cloud(CLOUD)], vec![], vec![1, 2], Some((2, "c"))),
            ("nothing new", vec![esp(A), cloud(CLOUD)], vec![one.clone(), two.clone()], vec![], Some((2, "c"))),
            (
                "the older source changed",
                vec![esp(B), cloud(CLOUD)],
                vec![one.clone(), two.clone()],
                vec![3],
                Some((3, "b")),
            ),
            ("all sources gone", vec![], vec![two.clone(), one.clone()], vec![], Some((2, "c"))),
            ("back to an older text", vec![esp(A)], vec![one.clone(), stored(2, "esp", B)], vec![3], Some((3, "a"))),
            (
                "the same text from another source",
                vec![cloud(CLOUD)],
                vec![stored(1, "esp", CLOUD)],
                vec![2],
                Some((2, "c")),
            ),
        ] {
            let found = shown(&documents, &generations);
            let want = (store, vec![], active.map(|(number, name)| (number, name.to_owned())), vec![]);
            assert_eq!(found, want, "{about}");
        }
    }

    #[test]
    fn a_wrong_source_hides_nothing_and_is_not_kept() {
        let wrong = document(Origin::Esp, WRONG);
        let message = "esp: line 1: node-nam: there is no such key; did you mean node-name?";
        let (store, _, active, messages) = shown(std::slice::from_ref(&wrong), &[]);
        assert_eq!((store, active, messages), (vec![], None, vec![message.to_owned()]));
        let (store, _, active, messages) = shown(std::slice::from_ref(&wrong), &[stored(7, "esp", A)]);
        assert_eq!((store, active), (vec![], Some((7, "a".to_owned()))));
        assert_eq!(messages, [message]);
        let (store, _, active, messages) = shown(&[wrong, document(Origin::NoCloud, CLOUD)], &[stored(7, "esp", A)]);
        assert_eq!((store, active), (vec![8], Some((8, "c".to_owned()))));
        assert_eq!(messages, [message]);
        let cloud = document(Origin::NoCloud, "#cloud-config\n");
        assert!(shown(&[cloud], &[]).3[0].starts_with("nocloud: line 1: is a document for cloud-init"));
    }

    #[test]
    fn what_cannot_be_read_is_passed_over_and_told() {
        let newer = Stored { number: 9, content: Err(Unusable::Newer(2)) };
        let damaged = Stored { number: 8, content: Err(Unusable::Damaged) };
        let later = stored(7, "esp", WRONG);
        let all = [stored(6, "nocloud", CLOUD), newer, damaged, later];
        let (store, remove, active, messages) = shown(&[], &all);
        assert_eq!((store, remove, active), (vec![], vec![], Some((6, "c".to_owned()))));
        assert_eq!(messages[0], "generation 9 has the format 2, which is newer than this release");
        assert_eq!(messages[1], "generation 8 is damaged");
        assert!(messages[2].starts_with("generation 7 from esp is not right for this release: line 1: node-nam:"));
        // A new one gets a number behind all of them; the file of a later release stays.
        let (store, remove, active, messages) = shown(&[document(Origin::Esp, A)], &all);
        assert_eq!((store, remove, active), (vec![10], vec![8], Some((10, "a".to_owned()))));
        assert!(messages.is_empty());
    }

    #[test]
    fn the_last_four_and_the_newest_of_each_source_are_kept() {
        let mut all: Vec<Stored> =
            (2..=6).map(|number| stored(number, "esp", &format!("node-name: n{number}\n"))).collect();
        all.push(stored(1, "nocloud", CLOUD));
        let (store, remove, ..) = shown(&[document(Origin::Esp, A), document(Origin::NoCloud, CLOUD)], &all);
        assert_eq!((store, remove), (vec![7], vec![3, 2]), "4, 5, 6, 7 and the one of nocloud stay");
        assert_eq!(shown(&[], &all).1, [0; 0], "nothing is removed when nothing is written");
    }

    #[test]
    fn numbers_end() {
        let (store, _, active, messages) = shown(&[document(Origin::Esp, A)], &[stored(LAST, "esp", B)]);
        assert_eq!((store, active), (vec![], Some((LAST + 1, "a".to_owned()))));
        assert_eq!(messages, ["esp: there is no number left for another generation"]);
    }
}
