//! What a visitor sees, whatever it asks for.

use std::cell::RefCell;
use std::fmt::{self, Write as _};

use serde::de::{
    Deserializer, EnumAccess, IgnoredAny, MapAccess, SeqAccess, VariantAccess, Visitor,
};

use super::*;

/// Returns how many rounds of mutations there are: as many as `RPC_ROUNDS` says.
fn rounds() -> usize {
    let rounds = std::env::var("RPC_ROUNDS");
    rounds.map_or(5_000, |rounds| rounds.parse().unwrap())
}

const FIELDS: &[&str] = &["field", "a", "Variant", ""];

/// Asks for something random wherever there is a choice, and writes down what it gets.
#[derive(Clone, Copy)]
struct Traced<'a> {
    random: &'a RefCell<Rng>,
    trace: &'a RefCell<String>,
}

impl Traced<'_> {
    fn choose(&self, choices: u8) -> u8 {
        self.random.borrow_mut().u8(..choices)
    }

    fn note(&self, what: impl fmt::Display) {
        write!(self.trace.borrow_mut(), "{what} ").unwrap();
    }
}

impl<'de> DeserializeSeed<'de> for Traced<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<(), D::Error> {
        macro_rules! typed {
            ($type:ty) => {{
                let value = <$type>::deserialize(from)?;
                self.note(format_args!("{value:?}"));
                Ok(())
            }};
        }
        if from.is_human_readable() {
            self.note("readable");
        }
        match self.choose(70) {
            0 => from.deserialize_str(self),
            1 => from.deserialize_string(self),
            2 => from.deserialize_bytes(self),
            3 => from.deserialize_byte_buf(self),
            4 | 5 => from.deserialize_option(self),
            6 => from.deserialize_unit(self),
            7 => from.deserialize_unit_struct("Unit", self),
            8 => from.deserialize_newtype_struct("Newtype", self),
            9..13 => from.deserialize_seq(self),
            13 => from.deserialize_tuple(3, self),
            14 => from.deserialize_tuple_struct("Tuple", 2, self),
            15..18 => from.deserialize_map(self),
            18..21 => from.deserialize_struct("Struct", FIELDS, self),
            21..23 => from.deserialize_enum("Enum", FIELDS, self),
            23..25 => from.deserialize_identifier(self),
            25 => from.deserialize_char(self),
            26..29 => typed!(IgnoredAny),
            29 => typed!(u8),
            30 => typed!(u32),
            31 => typed!(u64),
            32 => typed!(i8),
            33 => typed!(i64),
            34 => typed!(f32),
            35 => typed!(f64),
            36 => typed!(bool),
            37 => typed!(i128),
            38 => typed!(String),
            39 => typed!(char),
            40 => typed!(()),
            _ => from.deserialize_any(self),
        }
    }
}

macro_rules! note_values {
    ($($method:ident: $type:ty;)*) => {$(
        fn $method<E>(self, value: $type) -> Result<(), E> {
            self.note(format_args!(concat!(stringify!($method), "({:?})"), value));
            Ok(())
        }
    )*};
}

impl<'de> Visitor<'de> for Traced<'_> {
    type Value = ();

    note_values! {
        visit_bool: bool;
        visit_u8: u8; visit_u16: u16; visit_u32: u32; visit_u64: u64; visit_u128: u128;
        visit_i8: i8; visit_i16: i16; visit_i32: i32; visit_i64: i64; visit_i128: i128;
        visit_f32: f32; visit_f64: f64; visit_char: char;
        visit_str: &str; visit_borrowed_str: &'de str; visit_string: String;
        visit_bytes: &[u8]; visit_borrowed_bytes: &'de [u8]; visit_byte_buf: Vec<u8>;
    }

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("anything")
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        self.note("unit");
        Ok(())
    }

    fn visit_none<E>(self) -> Result<(), E> {
        self.note("none");
        Ok(())
    }

    fn visit_some<D: Deserializer<'de>>(self, from: D) -> Result<(), D::Error> {
        self.note("some");
        self.deserialize(from)
    }

    fn visit_newtype_struct<D: Deserializer<'de>>(self, from: D) -> Result<(), D::Error> {
        self.note("newtype");
        self.deserialize(from)
    }

    fn visit_seq<S: SeqAccess<'de>>(self, mut seq: S) -> Result<(), S::Error> {
        self.note(format_args!("seq({:?})", seq.size_hint()));
        // Extensions have no hint, and rmp-serde loses count when not all of them is read.
        let stop = seq.size_hint().is_some() && self.choose(20) == 0;
        while !stop && seq.next_element_seed(self)?.is_some() {}
        self.note("end");
        Ok(())
    }

    fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<(), M::Error> {
        self.note(format_args!("map({:?})", map.size_hint()));
        let stop = self.choose(20) == 0;
        while !stop && map.next_key_seed(self)?.is_some() {
            map.next_value_seed(self)?;
        }
        self.note("end");
        Ok(())
    }

    fn visit_enum<A: EnumAccess<'de>>(self, data: A) -> Result<(), A::Error> {
        self.note("enum");
        let ((), variant) = data.variant_seed(self)?;
        match self.choose(4) {
            0 => variant.unit_variant(),
            1 => variant.newtype_variant_seed(self),
            2 => variant.tuple_variant(2, self),
            _ => variant.struct_variant(FIELDS, self),
        }
    }
}

/// Reads with a choice of questions that comes from the seed.
fn trace<'de, D: Deserializer<'de>>(from: D, seed: u64) -> Result<String, D::Error> {
    let (random, trace) = (RefCell::new(Rng::with_seed(seed)), RefCell::default());
    let (random, shown) = (&random, &trace);
    Traced {
        random,
        trace: shown,
    }
    .deserialize(from)?;
    Ok(trace.into_inner())
}

/// Makes one [`Traced`] and returns its trace.
struct Tracing(u64);

impl<'de> DeserializeSeed<'de> for Tracing {
    type Value = String;

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<String, D::Error> {
        trace(from, self.0)
    }
}

/// Like [`compare`], but with what rmp-serde lends.
fn compare_borrowed(bytes: &[u8], seed: u64) {
    let expected = trace(&mut rmp_serde::Deserializer::from_read_ref(bytes), seed);
    let found = message_pack::decode(Tracing(seed), bytes, DecodeLimits::default());
    match (found, expected) {
        (Ok(found), Ok(expected)) => assert_eq!(found, expected, "{bytes:02x?} {seed}"),
        // rmp-serde cannot be asked for it inside extensions.
        (Ok(_), Err(error)) if error.to_string() == "i128 is not supported" => {}
        (Ok(found), Err(error)) => panic!("{found}, but {error} from {bytes:02x?} {seed}"),
        (Err(DecodeError::Unfit(error)), Ok(expected)) => {
            panic!("{error}, but expected {expected} from {bytes:02x?} {seed}")
        }
        (Err(_), _) => {}
    }
}

#[test]
fn visitors_see_the_same() {
    let samples = samples(Encoding::MESSAGE_PACK);
    let mut random = Rng::with_seed(0xd1ff);
    let mut seen = [0; 4];
    for round in 0..rounds() {
        let mut bytes = match round % 3 {
            0 => random.choice(&samples).unwrap().clone(),
            _ => shapes::bytes(random.u64(..)),
        };
        if bytes.len() > 1000 {
            continue;
        }
        if random.bool() {
            mutate(&mut bytes, &mut random);
        }
        let seed = random.u64(..);
        compare_borrowed(&bytes, seed);
        // What is borrowed here is not there; what else is seen must be equal all the same.
        let outcome = compare_as::<IgnoredAny>(&bytes);
        seen[outcome as usize] += 1;
        compare_as::<serde_json::Value>(&bytes);
        compare_as::<Node>(&bytes);
        compare_as::<Expression>(&bytes);
    }
    assert!(seen[..3].iter().all(|count| *count > 50), "{seen:?}");
}

#[test]
fn visitors_see_the_same_of_every_marker() {
    // Each marker with a length of one, two and four bytes after it, as some of them have.
    for marker in 0..=u8::MAX {
        for width in [1, 2, 4] {
            for length in 0..4_u32 {
                let length = &length.to_be_bytes()[4 - width..];
                let bytes = [&[marker], length, &[1; 40]].concat();
                for end in 1..bytes.len() {
                    compare_as::<IgnoredAny>(&bytes[..end]);
                    compare_as::<serde_json::Value>(&bytes[..end]);
                    compare_borrowed(&bytes[..end], u64::from(length[0]));
                }
            }
        }
    }
}
