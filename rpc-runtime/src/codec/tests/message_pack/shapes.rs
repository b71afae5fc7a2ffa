//! Values of all shapes that serde has, as no type of a user would show them.

use std::cell::RefCell;

use serde::ser::{
    SerializeMap, SerializeSeq, SerializeStruct, SerializeStructVariant, SerializeTuple,
    SerializeTupleStruct, SerializeTupleVariant, Serializer,
};

use super::*;

const KINDS: u8 = 32;

/// Serializes as something that comes from a seed.
struct Shape {
    random: RefCell<Rng>,
    depth: u8,
}

impl Shape {
    fn new(seed: u64) -> Self {
        Self {
            random: RefCell::new(Rng::with_seed(seed)),
            depth: 0,
        }
    }

    fn inner(&self) -> Self {
        Self {
            random: RefCell::new(self.random.borrow_mut().fork()),
            depth: self.depth + 1,
        }
    }

    /// A number with as many bits as a random number says.
    fn bits(&self) -> u64 {
        let mut random = self.random.borrow_mut();
        random.u64(..) >> random.u8(..64)
    }

    fn length(&self) -> usize {
        let mut random = self.random.borrow_mut();
        match random.u8(..20) {
            0 if self.depth < 2 => random.usize(..300),
            _ => random.usize(..4),
        }
    }

    fn text(&self) -> String {
        let mut random = self.random.borrow_mut();
        let length = match random.u8(..30) {
            0 => 70_000,
            1..5 => random.usize(..300),
            _ => random.usize(..40),
        };
        (0..length).map(|_| random.char('a'..'ö')).collect()
    }
}

impl Serialize for Shape {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let kinds = if self.depth > 6 { KINDS - 13 } else { KINDS };
        let kind = self.random.borrow_mut().u8(..kinds);
        match kind {
            0 => to.serialize_bool(self.bits() & 1 == 1),
            1 => to.serialize_u8(self.bits() as u8),
            2 => to.serialize_u16(self.bits() as u16),
            3 => to.serialize_u32(self.bits() as u32),
            4 => to.serialize_u64(self.bits()),
            5 => to.serialize_i8(self.bits() as i8),
            6 => to.serialize_i16(self.bits() as i16),
            7 => to.serialize_i32(self.bits() as i32),
            8 => to.serialize_i64(-(self.bits() as i64)),
            9 => to.serialize_i128(i128::from(self.bits()) << 3),
            10 => to.serialize_u128(u128::from(self.bits()) << 64),
            11 => to.serialize_f32(f32::from_bits(self.bits() as u32)),
            12 => to.serialize_f64(f64::from_bits(self.bits())),
            13 => to.serialize_char(char::from_u32(self.bits() as u32 & 0xfff).unwrap()),
            14 => to.serialize_str(&self.text()),
            15 => to.serialize_bytes(self.text().as_bytes()),
            16 => to.serialize_unit(),
            17 => to.collect_str(&self.text()),
            18 => to.serialize_unit_variant("Enum", 3, "Variant"),
            _ => self.serialize_container(kind, to),
        }
    }
}

impl Shape {
    fn serialize_container<S: Serializer>(&self, kind: u8, to: S) -> Result<S::Ok, S::Error> {
        match kind {
            19 => to.serialize_none(),
            20 => to.serialize_some(&self.inner()),
            21 => to.serialize_unit_struct("Unit"),
            22 => to.serialize_newtype_struct("Newtype", &self.inner()),
            23 => to.serialize_newtype_variant("Enum", 1, "New", &self.inner()),
            24 => {
                let length = self.length();
                let known = self.bits() & 1 == 1;
                let mut seq = to.serialize_seq(known.then_some(length))?;
                (0..length).try_for_each(|_| seq.serialize_element(&self.inner()))?;
                seq.end()
            }
            25 => {
                let length = self.length();
                let mut tuple = to.serialize_tuple(length)?;
                (0..length).try_for_each(|_| tuple.serialize_element(&self.inner()))?;
                tuple.end()
            }
            26 => {
                let length = self.length();
                let mut tuple = to.serialize_tuple_struct("Tuple", length)?;
                (0..length).try_for_each(|_| tuple.serialize_field(&self.inner()))?;
                tuple.end()
            }
            27 => {
                let length = self.length();
                let mut tuple = to.serialize_tuple_variant("Enum", 2, "Tuple", length)?;
                (0..length).try_for_each(|_| tuple.serialize_field(&self.inner()))?;
                tuple.end()
            }
            28 | 29 => {
                let length = self.length();
                let known = self.bits() & 1 == 1;
                let mut map = to.serialize_map(known.then_some(length))?;
                for _ in 0..length {
                    if self.bits() & 1 == 1 {
                        map.serialize_entry(&self.inner(), &self.inner())?;
                    } else {
                        map.serialize_key(&self.inner())?;
                        map.serialize_value(&self.inner())?;
                    }
                }
                map.end()
            }
            30 => {
                let length = self.length();
                let mut fields = to.serialize_struct("Struct", length)?;
                (0..length).try_for_each(|_| fields.serialize_field("field", &self.inner()))?;
                fields.end()
            }
            _ => {
                let length = self.length();
                let mut fields = to.serialize_struct_variant("Enum", 4, "Struct", length)?;
                (0..length).try_for_each(|_| fields.serialize_field("field", &self.inner()))?;
                fields.end()
            }
        }
    }
}

/// Returns the bytes of a value of some shape.
pub(super) fn bytes(seed: u64) -> Vec<u8> {
    ours(&Shape::new(seed))
}

#[test]
fn values_of_all_shapes_have_the_same_bytes() {
    let mut long = 0;
    for seed in 0..5_000 {
        let bytes = bytes(seed);
        assert!(bytes == theirs(&Shape::new(seed)), "seed {seed}");
        long += usize::from(bytes.len() > 100);
    }
    assert!(long > 300, "{long}");
}
