//! The clauses of an `Accept` header in the order in which upstream tries them.

/// One clause.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Clause<'a> {
    main: &'a str,
    sub: &'a str,
    quality: f32,
    parameters: Vec<(&'a str, &'a str)>,
}

/// Up to here upstream's sort moves neighbours; longer headers are sorted by the rule's intent.
const FEW: usize = 12;

impl<'a> Clause<'a> {
    fn parse(text: &'a str) -> Option<Self> {
        let (media, rest) = text.split_once(';').unwrap_or((text, ""));
        let (main, sub) = match media.split_once('/') {
            Some((main, sub)) if !sub.is_empty() => (trim(main), sub),
            _ if trim(media.trim_end_matches('/')) == "*" => ("*", "*"),
            _ => return None,
        };
        // One `/` more is let pass when nothing follows it.
        let sub = match sub.split_once('/') {
            Some((sub, "")) => sub,
            Some(_) => return None,
            None => sub,
        };
        let mut clause = Self { main, sub: trim(sub), quality: 1.0, parameters: Vec::new() };
        for part in rest.split(';') {
            let Some((name, value)) = part.split_once('=') else { continue };
            let value = value.strip_suffix('=').unwrap_or(value);
            if value.is_empty() || value.contains('=') {
                continue;
            }
            match trim(name) {
                "q" => clause.quality = value.parse().unwrap_or_default(),
                name => clause.parameters.push((name, trim(value))),
            }
        }
        Some(clause)
    }

    /// Value of a parameter; the last one counts.
    pub(super) fn parameter(&self, name: &str) -> Option<&'a str> {
        self.parameters.iter().rev().find(|(key, _)| *key == name).map(|(_, value)| *value)
    }

    /// Whether the clause means the media type.
    pub(super) fn fits(&self, media: &str) -> bool {
        let (main, sub) = media.split_once('/').unwrap_or_default();
        match (self.main, self.sub) {
            ("*", "*") => true,
            (ours, "*") => ours == main,
            (ours, sub_type) => ours == main && sub_type == sub,
        }
    }

    /// Whether the clause means the media type for a handler that compares both halves on their own.
    pub(super) fn fits_by_halves(&self, media: &str) -> bool {
        let (main, sub) = media.split_once('/').unwrap_or_default();
        [(self.main, main), (self.sub, sub)].iter().all(|(ours, half)| *ours == "*" || ours == half)
    }

    /// Upstream's order, which is none: a clause without wildcards goes before one with them whatever their qualities.
    fn goes_before(&self, other: &Self) -> bool {
        self.quality > other.quality || (self.main != "*" && other.main == "*") || (self.sub != "*" && other.sub == "*")
    }
}

/// The clauses, best first.
pub(super) fn clauses(header: &str) -> Vec<Clause<'_>> {
    let mut clauses: Vec<Clause<'_>> = header.split(',').map(trim).filter_map(Clause::parse).collect();
    if clauses.len() > FEW {
        let wild = |clause: &Clause<'_>| (clause.main == "*", clause.sub == "*");
        clauses.sort_by(|a, b| wild(a).cmp(&wild(b)).then(b.quality.total_cmp(&a.quality)));
        return clauses;
    }
    for end in 1..clauses.len() {
        for at in (1..=end).rev() {
            let before = clauses.get(at).zip(clauses.get(at - 1)).is_some_and(|(this, other)| this.goes_before(other));
            if !before {
                break;
            }
            clauses.swap(at, at - 1);
        }
    }
    clauses
}

fn trim(text: &str) -> &str {
    text.trim_matches(' ')
}
