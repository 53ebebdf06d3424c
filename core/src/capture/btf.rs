//! A reader of the kernel's type information (`/sys/kernel/btf/vmlinux`): byte offsets of members, and whether a name
//! exists. Only the names that are asked for are kept. Whatever the bytes are, it answers with a value or an error.

use std::collections::HashMap;

/// What is wrong with type information.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum BtfError {
    /// It is not what the format says.
    #[error("it is not valid BTF: {0}")]
    Malformed(&'static str),
    /// There is no such struct.
    #[error("struct {0}")]
    NoStruct(String),
    /// There is no such member.
    #[error("member {member} of struct {structure}")]
    NoMember {
        /// Of which struct.
        structure: String,
        /// Which one.
        member: String,
    },
}

/// Kinds of things that names are looked up for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Kind {
    /// A struct.
    Struct,
    /// A typedef.
    Typedef,
    /// A function.
    Function,
    /// A constant of an enum of 32 bits.
    Enumerator,
}

const HEADER: usize = 24;
const MAGIC: u16 = 0xeb9f;
/// Anonymous structs and typedefs are nested a handful of levels deep; more is a loop.
const DEEPEST: u32 = 32;

/// Type information with an index of its types and of the wanted names.
pub(super) struct Btf<'data> {
    types: &'data [u8],
    strings: &'data [u8],
    /// Where each type begins in `types`; type 0 is `void`.
    starts: Vec<u32>,
    /// Ids of types, and values of constants.
    names: HashMap<(Kind, &'data [u8]), u32>,
}

#[derive(Clone, Copy)]
struct Type {
    info: u32,
    /// Size in bytes or another type's id, as the kind says.
    detail: u32,
    name: u32,
    /// Where what follows the common part begins.
    rest: usize,
}

impl Type {
    const fn kind(self) -> u32 {
        (self.info >> 24) & 0x1f
    }
    const fn count(self) -> usize {
        (self.info & 0xffff) as usize
    }
    /// How many bytes follow the common part.
    fn rest_size(self) -> Option<usize> {
        let n = self.count();
        Some(match self.kind() {
            1 | 14 | 17 => 4,          // INT, VAR, DECL_TAG
            3 => 12,                   // ARRAY
            4 | 5 | 15 | 19 => n * 12, // STRUCT, UNION, DATASEC, ENUM64
            6 | 13 => n * 8,           // ENUM, FUNC_PROTO
            2 | 7..=12 | 16 | 18 => 0, // PTR, FWD, TYPEDEF, VOLATILE, CONST, RESTRICT, FUNC, FLOAT, TYPE_TAG
            _ => return None,
        })
    }
}

fn word(data: &[u8], at: usize) -> Option<u32> {
    data.get(at..)?.first_chunk().map(|bytes| u32::from_le_bytes(*bytes))
}

impl<'data> Btf<'data> {
    /// Reads type information and remembers where the `wanted` names are.
    pub(super) fn parse(data: &'data [u8], wanted: &[&str]) -> Result<Self, BtfError> {
        let magic = data.first_chunk().map(|bytes| u16::from_le_bytes(*bytes));
        if magic != Some(MAGIC) {
            return Err(BtfError::Malformed("the magic number is another one"));
        }
        let header = |index: usize| {
            word(data, index)
                .and_then(|n| usize::try_from(n).ok())
                .ok_or(BtfError::Malformed("the header is cut off"))
        };
        let length = header(4)?;
        if length < HEADER {
            return Err(BtfError::Malformed("the header is too short"));
        }
        let section = |offset: usize, size: usize| {
            let begin = length.checked_add(offset)?;
            data.get(begin..begin.checked_add(size)?)
        };
        let types = section(header(8)?, header(12)?).ok_or(BtfError::Malformed("the types are cut off"))?;
        let strings =
            section(header(16)?, header(20)?).ok_or(BtfError::Malformed("the names are cut off"))?;

        let mut btf =
            Self { types, strings, starts: Vec::with_capacity(types.len() / 24), names: HashMap::new() };
        btf.starts.push(0);
        let mut at = 0;
        while at < types.len() {
            let found = btf.type_at(at).ok_or(BtfError::Malformed("a type is cut off"))?;
            let id = u32::try_from(btf.starts.len()).map_err(|_| BtfError::Malformed("too many types"))?;
            btf.starts.push(u32::try_from(at).map_err(|_| BtfError::Malformed("too many types"))?);
            btf.remember(found, id, wanted);
            let rest = found.rest_size().ok_or(BtfError::Malformed("a type is of an unknown kind"))?;
            at = found.rest.checked_add(rest).ok_or(BtfError::Malformed("a type is too long"))?;
        }
        if at != types.len() {
            return Err(BtfError::Malformed("the last type is cut off"));
        }
        Ok(btf)
    }

    fn remember(&mut self, found: Type, id: u32, wanted: &[&str]) {
        let kind = match found.kind() {
            4 if found.count() != 0 => Kind::Struct,
            8 => Kind::Typedef,
            12 => Kind::Function,
            6 => return self.remember_constants(found, wanted),
            _ => return,
        };
        if let Some(name) = self.name(found.name)
            && wanted.iter().any(|want| want.as_bytes() == name)
        {
            self.names.entry((kind, name)).or_insert(id);
        }
    }

    fn remember_constants(&mut self, found: Type, wanted: &[&str]) {
        for index in 0..found.count() {
            let at = found.rest.saturating_add(index.saturating_mul(8));
            let (Some(name), Some(value)) = (word(self.types, at), word(self.types, at.saturating_add(4)))
            else {
                return;
            };
            if let Some(name) = self.name(name)
                && wanted.iter().any(|want| want.as_bytes() == name)
            {
                self.names.entry((Kind::Enumerator, name)).or_insert(value);
            }
        }
    }

    fn type_at(&self, at: usize) -> Option<Type> {
        Some(Type {
            name: word(self.types, at)?,
            info: word(self.types, at.checked_add(4)?)?,
            detail: word(self.types, at.checked_add(8)?)?,
            rest: at.checked_add(12)?,
        })
    }

    fn by_id(&self, id: u32) -> Option<Type> {
        let index = usize::try_from(id).ok().filter(|index| *index != 0)?;
        self.type_at(usize::try_from(*self.starts.get(index)?).ok()?)
    }

    fn name(&self, at: u32) -> Option<&'data [u8]> {
        let rest = self.strings.get(usize::try_from(at).ok()?..)?;
        rest.split(|byte| *byte == 0).next()
    }

    /// Is there something of this name? It must have been among the wanted ones.
    pub(super) fn has(&self, kind: Kind, name: &str) -> bool {
        self.names.contains_key(&(kind, name.as_bytes()))
    }

    /// The value of a constant, which must have been among the wanted names.
    pub(super) fn constant(&self, name: &str) -> Option<u32> {
        self.names.get(&(Kind::Enumerator, name.as_bytes())).copied()
    }

    /// The byte offset of a member, through named members (`a.b`) and anonymous ones.
    pub(super) fn offset(&self, structure: &str, path: &str) -> Result<u32, BtfError> {
        self.bit_offset(structure, path).map(|bits| bits / 8)
    }

    /// The same in bits, for bit fields.
    pub(super) fn bit_offset(&self, structure: &str, path: &str) -> Result<u32, BtfError> {
        let mut id = *self
            .names
            .get(&(Kind::Struct, structure.as_bytes()))
            .ok_or_else(|| BtfError::NoStruct(structure.to_owned()))?;
        let mut bits = 0_u32;
        for member in path.split('.') {
            let (inner, at) = self.member(id, member.as_bytes(), DEEPEST).ok_or_else(|| {
                BtfError::NoMember { structure: structure.to_owned(), member: path.to_owned() }
            })?;
            id = inner;
            bits = bits.checked_add(at).ok_or(BtfError::Malformed("an offset is too large"))?;
        }
        Ok(bits)
    }

    /// A member's type and bit offset.
    fn member(&self, id: u32, wanted: &[u8], depth: u32) -> Option<(u32, u32)> {
        let depth = depth.checked_sub(1)?;
        let found = self.by_id(id)?;
        match found.kind() {
            8..=11 | 18 => self.member(found.detail, wanted, depth),
            4 | 5 => (0..found.count()).find_map(|index| {
                let at = found.rest.checked_add(index.checked_mul(12)?)?;
                let name = self.name(word(self.types, at)?)?;
                let inner = word(self.types, at.checked_add(4)?)?;
                let offset = word(self.types, at.checked_add(8)?)?;
                // With the kind flag the upper bits are a bit field's width.
                let offset = if found.info >> 31 == 1 { offset & 0x00ff_ffff } else { offset };
                if name == wanted {
                    return Some((inner, offset));
                }
                if !name.is_empty() {
                    return None;
                }
                let (deeper, more) = self.member(inner, wanted, depth)?;
                Some((deeper, offset.checked_add(more)?))
            }),
            _ => None,
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// `struct outer { int a; struct { int b; }; struct inner c; }` with `struct inner { int x; int y; }`,
    /// `enum { FLAG = 15 }`, and `struct flags` with a bit field `a`.
    #[expect(clippy::many_single_char_names, reason = "names as in the C above")]
    pub(crate) fn sample() -> Vec<u8> {
        let mut strings = vec![0_u8];
        let mut name = |text: &str| {
            let at = u32::try_from(strings.len()).unwrap();
            strings.extend(text.as_bytes());
            strings.push(0);
            at
        };
        let (int, outer, inner, a, b, c, x, y, call, flags, flag) = (
            name("int"),
            name("outer"),
            name("inner"),
            name("a"),
            name("b"),
            name("c"),
            name("x"),
            name("y"),
            name("call"),
            name("flags"),
            name("FLAG"),
        );
        let structure = |count: u32| 4 << 24 | count;
        let words: Vec<u32> = [
            vec![int, 1 << 24, 4, 32],                                  // 1
            vec![inner, structure(2), 8, x, 1, 0, y, 1, 32],            // 2
            vec![0, structure(1), 4, b, 1, 0],                          // 3
            vec![outer, structure(3), 16, a, 1, 0, 0, 3, 32, c, 2, 64], // 4
            vec![call, 12 << 24, 0],                                    // 5
            vec![0, 6 << 24 | 1, 4, flag, 15],                          // 6
            // A bit field of one bit, at bit 13.
            vec![flags, 1 << 31 | structure(1), 4, a, 1, 1 << 24 | 0xd], // 7
        ]
        .concat();
        let types: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
        let mut data = vec![0x9f, 0xeb, 1, 0];
        let length = |n: usize| u32::try_from(n).unwrap().to_le_bytes();
        data.extend(length(24));
        data.extend([0; 4]);
        data.extend(length(types.len()));
        data.extend(length(types.len()));
        data.extend(length(strings.len()));
        data.extend(types);
        data.extend(strings);
        data
    }

    #[test]
    fn finds_members_through_names_and_anonymous_structs() {
        let data = sample();
        let btf = Btf::parse(&data, &["outer", "call"]).unwrap();
        assert_eq!(btf.offset("outer", "a"), Ok(0));
        assert_eq!(btf.offset("outer", "b"), Ok(4));
        assert_eq!(btf.offset("outer", "c.y"), Ok(12));
        let flags = Btf::parse(&data, &["flags", "FLAG"]).unwrap();
        assert_eq!((flags.bit_offset("flags", "a"), flags.offset("flags", "a")), (Ok(13), Ok(1)));
        assert_eq!(
            (flags.constant("FLAG"), flags.constant("flags"), btf.constant("FLAG")),
            (Some(15), None, None)
        );
        assert!(btf.has(Kind::Function, "call"));
        assert!(!btf.has(Kind::Typedef, "call"));
        assert_eq!(btf.offset("inner", "x"), Err(BtfError::NoStruct("inner".into())));
        assert_eq!(btf.offset("outer", "z").unwrap_err().to_string(), "member z of struct outer");
    }

    #[test]
    fn garbage_is_an_error_and_never_a_panic() {
        let good = sample();
        for length in 0..good.len() {
            let _ = Btf::parse(&good[..length], &["outer"]).map(|btf| btf.offset("outer", "c.y"));
        }
        // Every byte with every value of its own and with its bits flipped.
        for at in 0..good.len() {
            for value in [0, 1, 4, 0x7f, 0x80, 0xff, good[at] ^ 1, good[at] ^ 0x80] {
                let mut bad = good.clone();
                bad[at] = value;
                if let Ok(btf) = Btf::parse(&bad, &["outer", "call", ""]) {
                    for path in ["a", "b", "c.y", "", "."] {
                        let _ = btf.offset("outer", path);
                    }
                }
            }
        }
        let mut state = 0x9e37_79b9_7f4a_7c15_u64;
        for _ in 0..2_000 {
            let noise: Vec<u8> = (0..200)
                .map(|_| {
                    state ^= state << 13;
                    state ^= state >> 7;
                    state ^= state << 17;
                    state.to_le_bytes()[0]
                })
                .collect();
            let mut data = good[..24].to_vec();
            data.extend(noise);
            let _ = Btf::parse(&data, &["outer"]).map(|btf| btf.offset("outer", "a"));
        }
    }
}
