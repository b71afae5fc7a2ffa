//! A call counts once in a budget, also where several layers share that.

use super::budget::RetryBudget;
use crate::call::Request;

/// On a request that was counted: where.
#[derive(Clone)]
struct Counted(RetryBudget);

impl RetryBudget {
    /// Counts a call, unless a layer further out has counted it here.
    pub(in crate::layer) fn count(&self, request: &mut Request) {
        let counted = request.extensions().get::<Counted>();
        if counted.is_none_or(|it| !self.is_shared_with(&it.0)) {
            request.extensions_mut().insert(Counted(self.clone()));
            self.earn();
        }
    }
}
