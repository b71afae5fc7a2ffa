#[automatically_derived]
impl<T: Debug> ::rpc_runtime::RpcError for Missing<T>
where
    T: Display,
{
    fn code(&self) -> ::rpc_runtime::Code {
        ::rpc_runtime::Code::NotFound
    }
}
#[automatically_derived]
impl crate::rpc::RpcError for MathError {
    fn code(&self) -> crate::rpc::Code {
        match *self {
            Self::DivisionByZero { .. } => crate::rpc::Code::InvalidArgument,
            #[cfg(unix)]
            Self::TooLarge { .. } => crate::rpc::Code::OutOfRange,
            Self::Other { .. } => crate::rpc::Code::Internal,
        }
    }
}
#[automatically_derived]
impl ::rpc_runtime::RpcError for Never {
    fn code(&self) -> ::rpc_runtime::Code {
        match *self {}
    }
}
