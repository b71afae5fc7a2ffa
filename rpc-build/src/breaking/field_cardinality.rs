//! How many values a field has, and whether it can be absent.

use super::Pair;
use super::field::FieldPair;
use crate::lock::Cardinality;

pub(super) fn check<'a>(pair: &mut Pair<'a>, field: FieldPair<'a>) {
    // What looks like presence within a map entry comes from its file, and nobody sees it.
    if field.in_map_entries {
        return;
    }
    let (old, new) = (field.old.it.cardinality, field.new.it.cardinality);
    if text(old) != text(new) {
        add(pair, field, "FIELD_SAME_CARDINALITY");
    }
    if wire_group(old) != wire_group(new) {
        add(pair, field, "FIELD_WIRE_COMPATIBLE_CARDINALITY");
    }
    if json_group(old) != json_group(new) {
        add(pair, field, "FIELD_WIRE_JSON_COMPATIBLE_CARDINALITY");
    }
}

/// A map is a list of entries in the binary form.
fn wire_group(cardinality: Cardinality) -> u8 {
    match cardinality {
        Cardinality::Implicit | Cardinality::Explicit => 1,
        Cardinality::Required | Cardinality::LegacyRequired => 2,
        Cardinality::Repeated | Cardinality::Map => 3,
    }
}

/// In JSON a map is an object and a list an array.
fn json_group(cardinality: Cardinality) -> u8 {
    match cardinality {
        Cardinality::Map => 4,
        other => wire_group(other),
    }
}

fn text(cardinality: Cardinality) -> &'static str {
    match cardinality {
        Cardinality::Implicit => "single without presence",
        Cardinality::Explicit => "optional",
        Cardinality::Required | Cardinality::LegacyRequired => "required",
        Cardinality::Repeated => "repeated",
        Cardinality::Map => "a map",
    }
}

fn add<'a>(pair: &mut Pair<'a>, field: FieldPair<'a>, rule: &'static str) {
    let (was, is) = (
        text(field.old.it.cardinality),
        text(field.new.it.cardinality),
    );
    let found = field
        .breaks(rule, &format!("is {is}, it was {was}"), &[&[]], format!("was {was}"))
        .help(format!(
            "keep it {was} and add a field with a new number; when nobody uses the old one any more, {}",
            pair.reserve_hint(field.declared())
        ));
    pair.add(found);
}
