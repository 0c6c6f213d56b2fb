//! The differences of two texts, found and printed as Python's `difflib` and its Go port do it, since what they choose to
//! call changed is what clients see.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::ops::Range;

const CONTEXT: usize = 3;
/// Lines from which on frequent lines do not begin a match.
const POPULAR_FROM: usize = 200;
/// Comparisons after which the rest counts as changed: a hostile pair of texts would take cubic time.
const MAX_STEPS: usize = 20_000_000;

struct Matcher<'a> {
    before: Vec<&'a str>,
    after: Vec<&'a str>,
    /// Where the lines of `after` stand, without the frequent ones.
    places: HashMap<&'a str, Vec<usize>>,
    steps: usize,
}

#[derive(Debug, Clone, Copy, PartialEq)]
struct Match {
    before: usize,
    after: usize,
    size: usize,
}

/// A stretch that is equal or not in both texts.
#[derive(Debug, Clone)]
struct Stretch {
    equal: bool,
    before: Range<usize>,
    after: Range<usize>,
}

/// A unified diff without file names; empty when the texts are equal.
pub(crate) fn unified(before: &str, after: &str) -> String {
    let mut matcher = Matcher::new(before, after);
    let mut out = String::new();
    for group in groups(matcher.stretches()) {
        let (Some(first), Some(last)) = (group.first(), group.last()) else { continue };
        let left = span(first.before.start, last.before.end);
        let right = span(first.after.start, last.after.end);
        // Writing to a String cannot fail.
        let _ = writeln!(out, "@@ -{left} +{right} @@");
        let mut print = |sign: char, lines: &[&str]| {
            for line in lines {
                let _ = writeln!(out, "{sign}{line}");
            }
        };
        for stretch in group {
            if stretch.equal {
                print(' ', &matcher.before[stretch.before]);
            } else {
                print('-', &matcher.before[stretch.before]);
                print('+', &matcher.after[stretch.after]);
            }
        }
    }
    out
}

fn span(start: usize, end: usize) -> String {
    match end - start {
        1 => format!("{}", start + 1),
        0 => format!("{start},0"),
        length => format!("{},{length}", start + 1),
    }
}

/// Stretches that stand together, each group with a few equal lines around it.
fn groups(mut stretches: Vec<Stretch>) -> Vec<Vec<Stretch>> {
    if let Some(first) = stretches.first_mut().filter(|first| first.equal) {
        let skip = first.before.len().saturating_sub(CONTEXT);
        first.before.start += skip;
        first.after.start += skip;
    }
    if let Some(last) = stretches.last_mut().filter(|last| last.equal) {
        let cut = last.before.len().saturating_sub(CONTEXT);
        last.before.end -= cut;
        last.after.end -= cut;
    }
    let mut groups = Vec::new();
    let mut group: Vec<Stretch> = Vec::new();
    for stretch in stretches {
        let mut stretch = stretch;
        if stretch.equal && stretch.before.len() > 2 * CONTEXT {
            let head = Stretch {
                equal: true,
                before: stretch.before.start..stretch.before.start + CONTEXT,
                after: stretch.after.start..stretch.after.start + CONTEXT,
            };
            group.push(head);
            groups.push(std::mem::take(&mut group));
            stretch.before.start = stretch.before.end - CONTEXT;
            stretch.after.start = stretch.after.end - CONTEXT;
        }
        group.push(stretch);
    }
    groups.push(group);
    groups.retain(|group| group.iter().any(|stretch| !stretch.equal));
    groups
}

impl<'a> Matcher<'a> {
    fn new(before: &'a str, after: &'a str) -> Self {
        let (before, after): (Vec<&str>, Vec<&str>) = (before.split('\n').collect(), after.split('\n').collect());
        let mut places: HashMap<&str, Vec<usize>> = HashMap::new();
        for (at, line) in after.iter().enumerate() {
            places.entry(line).or_default().push(at);
        }
        if after.len() >= POPULAR_FROM {
            let limit = after.len() / 100 + 1;
            places.retain(|_, at| at.len() <= limit);
        }
        Self { before, after, places, steps: 0 }
    }

    fn stretches(&mut self) -> Vec<Stretch> {
        let mut matches = Vec::new();
        let mut open = vec![(0..self.before.len(), 0..self.after.len())];
        while let Some((before, after)) = open.pop() {
            let found = self.longest(before.clone(), after.clone());
            if found.size == 0 {
                continue;
            }
            matches.push(found);
            if before.start < found.before && after.start < found.after {
                open.push((before.start..found.before, after.start..found.after));
            }
            let (end_before, end_after) = (found.before + found.size, found.after + found.size);
            if end_before < before.end && end_after < after.end {
                open.push((end_before..before.end, end_after..after.end));
            }
        }
        matches.sort_by_key(|found| (found.before, found.after));
        matches.push(Match { before: self.before.len(), after: self.after.len(), size: 0 });
        let mut stretches: Vec<Stretch> = Vec::new();
        let (mut before, mut after) = (0, 0);
        for found in matches {
            if before < found.before || after < found.after {
                let (changed, into) = (before..found.before, after..found.after);
                stretches.push(Stretch { equal: false, before: changed, after: into });
            }
            (before, after) = (found.before + found.size, found.after + found.size);
            if found.size > 0 {
                let (from, to) = (found.before..before, found.after..after);
                match stretches.last_mut().filter(|last| last.equal) {
                    Some(last) => (last.before.end, last.after.end) = (from.end, to.end),
                    None => stretches.push(Stretch { equal: true, before: from, after: to }),
                }
            }
        }
        stretches
    }

    fn longest(&mut self, before: Range<usize>, after: Range<usize>) -> Match {
        let mut best = Match { before: before.start, after: after.start, size: 0 };
        let mut lengths: HashMap<usize, usize> = HashMap::new();
        for line in before.clone() {
            self.steps += 1;
            if self.steps > MAX_STEPS {
                return best;
            }
            let mut next = HashMap::new();
            for &place in self.places.get(self.before[line]).map(Vec::as_slice).unwrap_or_default() {
                if place < after.start {
                    continue;
                }
                if place >= after.end {
                    break;
                }
                let length = place.checked_sub(1).and_then(|place| lengths.get(&place)).map_or(1, |length| length + 1);
                next.insert(place, length);
                if length > best.size {
                    best = Match { before: line + 1 - length, after: place + 1 - length, size: length };
                }
                self.steps += 1;
            }
            lengths = next;
        }
        // Frequent lines do not begin a match, but they belong to it.
        while best.before > before.start
            && best.after > after.start
            && self.before[best.before - 1] == self.after[best.after - 1]
        {
            (best.before, best.after, best.size) = (best.before - 1, best.after - 1, best.size + 1);
        }
        while best.before + best.size < before.end
            && best.after + best.size < after.end
            && self.before[best.before + best.size] == self.after[best.after + best.size]
        {
            best.size += 1;
        }
        best
    }
}

#[cfg(test)]
mod tests {
    use super::unified;

    #[test]
    fn changes_stand_in_their_surroundings() {
        assert_eq!(unified("a\nb", "a\nb"), "");
        assert_eq!(
            unified("a\nb\nc\nd\ne\nf\ng", "a\nb\nc\nX\ne\nf\ng"),
            "@@ -1,7 +1,7 @@\n a\n b\n c\n-d\n+X\n e\n f\n g\n"
        );
        let before: String = (0..20).map(|line| format!("{line}\n")).collect();
        let after = before.replace("\n2\n", "\nx\n").replace("\n17\n", "\n");
        assert_eq!(
            unified(&before, &after),
            "@@ -1,6 +1,6 @@\n 0\n 1\n-2\n+x\n 3\n 4\n 5\n@@ -15,7 +15,6 @@\n 14\n 15\n 16\n-17\n 18\n 19\n \n"
        );
    }

    #[test]
    fn hostile_texts_end() {
        let line = "a\n".repeat(150);
        assert!(unified(&line, &format!("b\n{line}")).starts_with("@@"));
    }
}
