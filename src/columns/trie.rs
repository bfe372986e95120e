//! All paths of a layout as one tree, so that one pass over a contact meets every value that any
//! column asks for.

use super::path::{Path, Step};

/// A place in a contact that some path goes through or ends at.
#[derive(Debug, Default)]
pub(super) struct Node {
    /// Which columns want the value here.
    pub(super) ends: Vec<usize>,
    /// Members of an object, by name.
    keys: Vec<(Box<str>, usize)>,
    /// Of each name in `keys`, a bit: most names are none of them.
    shapes: u64,
    /// Elements of a list, by place.
    pub(super) indices: Vec<(usize, usize)>,
    /// Every element of a list.
    pub(super) every: Option<usize>,
    /// The first element of a list whose member of this name is this text.
    pub(super) wheres: Vec<(Box<str>, Box<str>, usize)>,
    /// The columns of lists whose elements are this node's values, or stand below them: each of
    /// these values gives each of those columns one element.
    pub(super) aligned: Vec<usize>,
    /// The columns whose path goes through here.
    pub(super) through: Vec<usize>,
}

impl Node {
    pub(super) fn wants_members(&self) -> bool {
        !self.keys.is_empty()
    }

    pub(super) fn wants_elements(&self) -> bool {
        self.every.is_some() || !self.indices.is_empty() || !self.wheres.is_empty()
    }

    /// The place among the keys, and the node, of the member of this name.
    #[inline]
    pub(super) fn member(&self, name: &[u8]) -> Option<(usize, usize)> {
        if self.shapes & shape(name) == 0 {
            return None;
        }
        let place = self.keys.iter().position(|(key, _)| key.as_bytes() == name)?;
        Some((place, self.keys.get(place)?.1))
    }

    fn child(&self, step: &Step) -> Option<usize> {
        match step {
            Step::Key(name) => self.keys.iter().find(|(key, _)| key == name).map(|(_, node)| *node),
            Step::Index(at) => self.indices.iter().find(|(index, _)| index == at).map(|(_, node)| *node),
            Step::Every => self.every,
            Step::Where(name, text) => {
                self.wheres.iter().find(|(key, value, _)| key == name && value == text).map(|found| found.2)
            }
        }
    }

    fn add(&mut self, step: &Step, node: usize) {
        match step {
            Step::Key(name) => {
                self.shapes |= shape(name.as_bytes());
                self.keys.push((name.clone(), node));
            }
            Step::Index(at) => self.indices.push((*at, node)),
            Step::Every => self.every = Some(node),
            Step::Where(name, text) => self.wheres.push((name.clone(), text.clone(), node)),
        }
    }
}

/// One bit for a name, by its length and its first and last letter.
#[inline]
fn shape(name: &[u8]) -> u64 {
    let (first, last) = (name.first().copied().unwrap_or(0), name.last().copied().unwrap_or(0));
    1 << ((name.len() + 3 * usize::from(first) + 5 * usize::from(last)) % 64)
}

/// The paths as a tree; its root is the contact.
#[derive(Debug)]
pub(super) struct Trie {
    nodes: Vec<Node>,
    pub(super) columns: usize,
}

impl Trie {
    pub(super) const ROOT: usize = 0;

    pub(super) fn new<'a>(paths: impl Iterator<Item = &'a Path>) -> Self {
        let mut trie = Self { nodes: vec![Node::default()], columns: 0 };
        for path in paths {
            trie.insert(path);
            trie.columns += 1;
        }
        trie
    }

    fn insert(&mut self, path: &Path) {
        let column = self.columns;
        let last_every = path.steps.iter().rposition(|step| *step == Step::Every);
        let mut at = Self::ROOT;
        for (place, step) in path.steps.iter().enumerate() {
            let known = self.nodes.get(at).and_then(|node| node.child(step));
            let next = known.unwrap_or(self.nodes.len());
            if known.is_none() {
                self.nodes.push(Node::default());
                if let Some(node) = self.nodes.get_mut(at) {
                    node.add(step, next);
                }
            }
            at = next;
            if let Some(node) = self.nodes.get_mut(at) {
                node.through.push(column);
                if last_every == Some(place) {
                    node.aligned.push(column);
                }
            }
        }
        if let Some(node) = self.nodes.get_mut(at) {
            node.ends.push(column);
        }
    }

    pub(super) fn get(&self, node: usize) -> Option<&Node> {
        self.nodes.get(node)
    }
}
