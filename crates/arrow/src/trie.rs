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
    /// Elements of a list, by place.
    pub(super) indices: Vec<(usize, usize)>,
    /// Every element of a list.
    pub(super) every: Option<usize>,
    /// The first element of a list of which something is true.
    pub(super) wheres: Vec<Where>,
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

    /// What is wanted of the member of this name.
    pub(super) fn member(&self, name: &[u8]) -> Option<Member> {
        let place = self.keys.iter().position(|(key, _)| key.as_bytes() == name)?;
        Some(Member { place, node: self.keys.get(place)?.1 })
    }

    fn child(&self, step: &Step) -> Option<usize> {
        match step {
            Step::Key(name) => self.keys.iter().find(|(key, _)| key == name).map(|(_, node)| *node),
            Step::Index(at) => self.indices.iter().find(|(index, _)| index == at).map(|(_, node)| *node),
            Step::Every => self.every,
            Step::Where(name, text) => {
                let mut wheres = self.wheres.iter();
                wheres.find(|known| known.name == *name && known.text == *text).map(|known| known.node)
            }
        }
    }
}

/// What is wanted of a member.
#[derive(Debug, Clone, Copy)]
pub(super) struct Member {
    /// Its place among those that are wanted of the same object.
    pub(super) place: usize,
    pub(super) node: usize,
}

/// An element of a list that is told by what it says.
#[derive(Debug)]
pub(super) struct Where {
    name: Box<str>,
    /// What its member of that name says.
    pub(super) text: Box<str>,
    /// A node of which that member is all that is wanted.
    pub(super) said: usize,
    pub(super) node: usize,
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
            at = known.unwrap_or_else(|| self.add(at, step));
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

    fn add(&mut self, at: usize, step: &Step) -> usize {
        let node = self.push(Node::default());
        let said = match step {
            Step::Where(name, _) => self.push(Node { keys: vec![(name.clone(), node)], ..Node::default() }),
            _ => node,
        };
        let Some(parent) = self.nodes.get_mut(at) else { return node };
        match step {
            Step::Key(name) => parent.keys.push((name.clone(), node)),
            Step::Index(place) => parent.indices.push((*place, node)),
            Step::Every => parent.every = Some(node),
            Step::Where(name, text) => {
                parent.wheres.push(Where { name: name.clone(), text: text.clone(), said, node });
            }
        }
        node
    }

    fn push(&mut self, node: Node) -> usize {
        self.nodes.push(node);
        self.nodes.len() - 1
    }

    pub(super) fn len(&self) -> usize {
        self.nodes.len()
    }

    pub(super) fn get(&self, node: usize) -> Option<&Node> {
        self.nodes.get(node)
    }
}
