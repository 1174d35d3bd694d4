//! The references: what each detector is to find, as regular expressions.

use policy::detect::Builtin;
use regex::Regex;

mod numbers;
mod texts;

/// A place that an expression fits.
pub struct Hit<'a> {
    pub value: &'a str,
    /// Where the match begins.
    pub begin: usize,
    /// The range of the last group.
    pub start: usize,
    pub end: usize,
    pub captures: &'a regex::Captures<'a>,
}

impl<'a> Hit<'a> {
    pub fn text(&self) -> &'a str {
        &self.value[self.start..self.end]
    }

    pub fn before(&self) -> &'a str {
        &self.value[..self.begin]
    }

    pub fn after(&self) -> &'a str {
        &self.value[self.end..]
    }
}

/// Says where the finding ends, if it is one.
pub type Valid = fn(&Hit<'_>) -> Option<usize>;

/// One kind of finding.
pub struct Reference {
    /// What must not stand before a match. What a finding has taken does not count if `fresh`.
    not_before: Regex,
    fresh: bool,
    /// Tried in order at each place. The last group is what is found. If `exclusive`, the first
    /// that fits decides.
    bodies: Vec<Regex>,
    exclusive: bool,
    valid: Valid,
}

pub fn reference(not_before: &str, bodies: &[&str], valid: Valid) -> Reference {
    Reference {
        not_before: Regex::new(&format!("(?:{not_before})\\z")).unwrap(),
        fresh: false,
        exclusive: false,
        bodies: bodies
            .iter()
            .map(|body| Regex::new(&format!("\\A(?:{body})")).unwrap())
            .collect(),
        valid,
    }
}

impl Reference {
    fn fresh(self) -> Reference {
        Reference {
            fresh: true,
            ..self
        }
    }

    fn exclusive(self) -> Reference {
        Reference {
            exclusive: true,
            ..self
        }
    }

    fn at(&self, value: &str, floor: usize, begin: usize) -> Option<(usize, usize)> {
        let from = if self.fresh { floor } else { 0 };
        if self.not_before.is_match(&value[from..begin]) {
            return None;
        }
        let fitting = self
            .bodies
            .iter()
            .filter_map(|body| body.captures(&value[begin..]));
        let tried = if self.exclusive { 1 } else { usize::MAX };
        fitting.take(tried).find_map(|captures| {
            let range = captures.get(captures.len() - 1)?;
            let hit = Hit {
                value,
                begin,
                start: begin + range.start(),
                end: begin + range.end(),
                captures: &captures,
            };
            (self.valid)(&hit).map(|end| (hit.start, end))
        })
    }
}

pub fn references(builtin: Builtin) -> Vec<Reference> {
    numbers::references(builtin)
        .or_else(|| texts::references(builtin))
        .unwrap()
}

/// All findings of all references, sorted, overlaps joined.
pub fn find(references: &[Reference], value: &str) -> Vec<(usize, usize)> {
    let mut all = Vec::new();
    for reference in references {
        let (mut floor, mut begin) = (0, 0);
        while begin < value.len() {
            if !value.is_char_boundary(begin) {
                begin += 1;
            } else if let Some((start, end)) = reference.at(value, floor, begin) {
                all.push((start, end));
                (floor, begin) = (end, end);
            } else {
                begin += 1;
            }
        }
    }
    if all.is_empty() && references.is_empty() {
        all = texts::sql(value);
    }
    all.sort_unstable();
    let mut joined: Vec<(usize, usize)> = Vec::new();
    for (start, end) in all {
        match joined.last_mut() {
            Some(last) if start < last.1 => last.1 = last.1.max(end),
            _ => joined.push((start, end)),
        }
    }
    joined
}
