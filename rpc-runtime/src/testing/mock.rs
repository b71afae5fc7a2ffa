//! What stands in for one method of a trait in tests.

use std::fmt;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context as TaskContext, Poll};

use futures_core::Stream;

use crate::call::Streaming;
use crate::status::Status;

type Answer<A, T> = Arc<dyn Fn(&A) -> T + Send + Sync>;

/// One method of a mock: it answers as it was told to, and remembers what it was asked.
///
/// `#[rpc_service(mock)]` on a trait `Math` generates a `MathMock` with such a field for each method.
/// `A` is the method's arguments as a tuple, without `&Context`; a stream among them is the items that
/// came, the last of them an `Err` if it broke off. `T` is what the method returns; of one that returns
/// a stream, a `Vec` of its items. A clone is the same method.
///
/// # Examples
///
/// ```
/// use futures_util::stream;
/// use rpc_runtime::{Status, Stream, Streaming, rpc_service};
///
/// #[rpc_service(mock)]
/// trait Math {
///     async fn add(&self, a: i64, b: i64) -> i64;
///     fn count(&self, up_to: u64) -> impl Stream<Item = u64>;
///     async fn sum(&self, numbers: Streaming<i64>) -> Result<i64, Status>;
/// }
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Status> {
/// let mock = MathMock::new();
/// mock.add.answers(|(a, b)| a + b);
/// mock.count.answers(|(up_to,)| (0..*up_to).collect());
/// mock.sum.answers(|(numbers,)| numbers.iter().map(|it| it.clone()).sum());
///
/// // It is an implementation like any other: in process here, and as well behind a `Server`.
/// let math = MathClient::new(MathServer::new(mock.clone()));
/// assert_eq!(math.add(2, 3).await?, 5);
/// assert_eq!(math.count(3).next().await.transpose()?, Some(0));
/// assert_eq!(math.sum(stream::iter([1, 2])).await?, 3);
///
/// assert_eq!(mock.add.calls(), [(2, 3)]);
/// assert_eq!(mock.count.count(), 1);
/// # Ok(()) }
/// ```
pub struct MockMethod<A, T>(Arc<Inner<A, T>>);

struct Inner<A, T> {
    path: &'static str,
    answer: Mutex<Option<Answer<A, T>>>,
    calls: Mutex<Vec<A>>,
}

impl<A, T> MockMethod<A, T> {
    /// Makes a method that has no answer yet; for people, its path is in what it says then.
    pub fn new(path: &'static str) -> Self {
        Self(Arc::new(Inner {
            path,
            answer: Mutex::new(None),
            calls: Mutex::new(Vec::new()),
        }))
    }

    /// Sets what the method answers to all further calls: a function of its arguments.
    pub fn answers(&self, answer: impl Fn(&A) -> T + Send + Sync + 'static) {
        *lock(&self.0.answer) = Some(Arc::new(answer));
    }

    /// Returns how many calls were made.
    pub fn count(&self) -> usize {
        lock(&self.0.calls).len()
    }

    /// Returns the arguments of all calls so far, in the order in which they were answered.
    pub fn calls(&self) -> Vec<A>
    where
        A: Clone,
    {
        lock(&self.0.calls).clone()
    }

    /// Takes the arguments of all calls so far, which are forgotten then.
    pub fn take_calls(&self) -> Vec<A> {
        std::mem::take(&mut lock(&self.0.calls))
    }

    /// Answers a call.
    ///
    /// # Panics
    ///
    /// Panics if the method was not told how, which fails the call with
    /// [`Code::Internal`](crate::Code::Internal), and where its answer does.
    #[doc(hidden)]
    pub fn call(&self, args: A) -> T {
        let answer = lock(&self.0.answer).clone();
        let call = Call {
            inner: &self.0,
            args: Some(args),
        };
        match (answer, &call.args) {
            (Some(answer), Some(args)) => answer(args),
            _ => panic!(
                "the mock of `{}` was called and has no answer (call `answers`)",
                self.0.path
            ),
        }
    }
}

/// Notes a call when it is answered, also by a panic.
struct Call<'a, A, T> {
    inner: &'a Inner<A, T>,
    args: Option<A>,
}

impl<A, T> Drop for Call<'_, A, T> {
    fn drop(&mut self) {
        lock(&self.inner.calls).extend(self.args.take());
    }
}

impl<A, T> MockMethod<A, Vec<T>> {
    /// Answers a call of a method that returns a stream.
    #[doc(hidden)]
    pub fn items(&self, args: A) -> MockItems<T> {
        MockItems(State::Items(self.call(args).into_iter()))
    }

    /// Answers a call of a method that takes a stream, too, once that has ended.
    #[doc(hidden)]
    pub fn items_behind<U>(
        &self,
        upload: Streaming<U>,
        args: impl FnOnce(Vec<Result<U, Status>>) -> A + Send + 'static,
    ) -> MockItems<T>
    where
        A: Send + 'static,
        T: Send + 'static,
        U: Send + 'static,
    {
        let method = self.clone();
        MockItems(State::Waiting(Box::pin(async move {
            method.call(args(uploaded(upload).await))
        })))
    }
}

/// Reads a stream to its end.
#[doc(hidden)]
pub async fn uploaded<U>(mut upload: Streaming<U>) -> Vec<Result<U, Status>> {
    let mut items = Vec::new();
    while let Some(item) = upload.next().await {
        items.push(item);
    }
    items
}

/// The stream that a mock answers with.
#[doc(hidden)]
pub struct MockItems<T>(State<T>);

enum State<T> {
    Waiting(Pin<Box<dyn Future<Output = Vec<T>> + Send>>),
    Items(std::vec::IntoIter<T>),
}

// Nothing in it is pinned in place.
impl<T> Unpin for MockItems<T> {}

impl<T> Stream for MockItems<T> {
    type Item = T;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<Option<T>> {
        loop {
            match &mut self.0 {
                State::Items(items) => return Poll::Ready(items.next()),
                State::Waiting(answer) => {
                    let items = std::task::ready!(answer.as_mut().poll(cx));
                    self.0 = State::Items(items.into_iter());
                }
            }
        }
    }
}

fn lock<T>(place: &Mutex<T>) -> MutexGuard<'_, T> {
    // No code of a user but `Clone` runs under a lock, and that changes nothing.
    place.lock().unwrap_or_else(PoisonError::into_inner)
}

impl<A, T> Clone for MockMethod<A, T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<A, T> fmt::Debug for MockMethod<A, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MockMethod")
            .field("path", &self.0.path)
            .field("calls", &self.count())
            .finish_non_exhaustive()
    }
}

impl<T> fmt::Debug for MockItems<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MockItems")
    }
}
