//! The methods that the peer calls, by the numbers that it was told.

use std::collections::HashMap;
use std::sync::Arc;

use super::caller::MAX_METHOD_NUMBERS;
use super::field::CallFields;
use crate::call::{Method, MethodTable};
use crate::status::Status;
use crate::wire::pace::Pace;

/// The methods of one connection, each with its pace.
#[derive(Default)]
pub(super) struct Numbered {
    /// By number.
    methods: Vec<Known>,
    numbers: HashMap<Arc<str>, u64>,
    /// The pace of the methods without a number, all together.
    others: Pace,
}

struct Known {
    method: Method,
    pace: Pace,
}

/// A method as a REQUEST named it.
pub(super) struct Found {
    pub(super) method: Method,
    /// Its place among those with a number.
    pub(super) numbered: Option<usize>,
    /// The method's number, if the peer does not know it yet.
    pub(super) number: Option<u64>,
}

impl Numbered {
    /// Finds the method by number or by name; a name that resolves gets a number.
    pub(super) fn find(
        &mut self,
        fields: &CallFields,
        methods: &dyn MethodTable,
    ) -> Result<Found, Status> {
        match (fields.method_number, &fields.method) {
            (Some(number), None) => {
                let index = usize::try_from(number).unwrap_or(usize::MAX);
                let found = self.methods.get(index).ok_or_else(|| {
                    Status::unimplemented(format!("no method has the number {number} here"))
                })?;
                Ok(Found {
                    method: found.method.clone(),
                    numbered: Some(index),
                    number: None,
                })
            }
            (None, Some(path)) => Ok(self.named(path.as_str(), methods)),
            _ => Err(Status::invalid_argument(
                "a REQUEST names its method by exactly one of METHOD and METHOD_NUMBER",
            )),
        }
    }

    fn named(&mut self, path: &str, methods: &dyn MethodTable) -> Found {
        if let Some(number) = self.numbers.get(path) {
            let index = usize::try_from(*number).unwrap_or(usize::MAX);
            if let Some(found) = self.methods.get(index) {
                return Found {
                    method: found.method.clone(),
                    numbered: Some(index),
                    number: Some(*number),
                };
            }
        }
        let resolved = methods.resolve(path);
        let Some(method) = resolved
            .clone()
            .filter(|_| self.methods.len() < MAX_METHOD_NUMBERS)
        else {
            return Found {
                method: resolved.unwrap_or_else(|| Method::named(path)),
                numbered: None,
                number: None,
            };
        };
        let index = self.methods.len();
        self.methods.push(Known {
            method: method.clone(),
            pace: Pace::default(),
        });
        self.numbers.insert(Arc::from(path), index as u64);
        Found {
            method,
            numbered: Some(index),
            number: Some(index as u64),
        }
    }

    /// Returns how quick a method is, by its place.
    pub(super) fn pace(&mut self, numbered: Option<usize>) -> &mut Pace {
        let found = numbered.and_then(|index| self.methods.get_mut(index));
        found.map_or(&mut self.others, |it| &mut it.pace)
    }
}
