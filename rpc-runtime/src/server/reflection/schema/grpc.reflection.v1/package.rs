// Written by rpc-build from grpc/reflection/v1/reflection.proto. Do not edit.

#[path = "services.rs"]
mod __services;
pub use self::__services::*;
/// The descriptors of this package and of what it imports: a serialized `google.protobuf.FileDescriptorSet`.
pub const FILE_DESCRIPTOR_SET: &[u8] = include_bytes!("descriptors.binpb");

/// One question.
#[derive(Clone, PartialEq, Default)]
#[derive(crate::__private::serde::Serialize)]
#[serde(crate = "crate::__private::serde")]
#[serde(default)]
pub struct ServerReflectionRequest {
    /// Field 1: `host`
    #[serde(
        rename = "host",
        with = "crate::__private::buffa::json_helpers::proto_string",
        skip_serializing_if = "crate::__private::buffa::json_helpers::skip_if::is_empty_str"
    )]
    pub host: crate::__private::buffa::alloc::string::String,
    #[serde(flatten)]
    pub message_request: ::core::option::Option<
        __buffa::oneof::server_reflection_request::MessageRequest,
    >,
    #[serde(skip)]
    #[doc(hidden)]
    pub __buffa_unknown_fields: crate::__private::buffa::UnknownFields,
}
impl ::core::fmt::Debug for ServerReflectionRequest {
    fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
        f.debug_struct("ServerReflectionRequest")
            .field("host", &self.host)
            .field("message_request", &self.message_request)
            .finish()
    }
}
impl ServerReflectionRequest {
    /// Protobuf type URL for this message, for use with `Any::pack` and
    /// `Any::unpack_if`.
    ///
    /// Format: `type.googleapis.com/<fully.qualified.TypeName>`
    pub const TYPE_URL: &'static str = "type.googleapis.com/grpc.reflection.v1.ServerReflectionRequest";
}
crate::__private::buffa::impl_default_instance!(ServerReflectionRequest);
impl crate::__private::buffa::MessageName for ServerReflectionRequest {
    const PACKAGE: &'static str = "grpc.reflection.v1";
    const NAME: &'static str = "ServerReflectionRequest";
    const FULL_NAME: &'static str = "grpc.reflection.v1.ServerReflectionRequest";
    const TYPE_URL: &'static str = "type.googleapis.com/grpc.reflection.v1.ServerReflectionRequest";
}
impl crate::__private::buffa::Message for ServerReflectionRequest {
    /// Returns the total encoded size in bytes.
    ///
    /// Accumulates in `u64` (which cannot overflow for in-memory
    /// data) and saturates to `u32` at return, so a message whose
    /// encoded size exceeds the 2 GiB protobuf limit yields a value
    /// above [`::buffa::MAX_MESSAGE_BYTES`] that the encode entry
    /// points reject, never a silently wrapped size.
    #[allow(clippy::let_and_return)]
    fn compute_size(&self, __cache: &mut crate::__private::buffa::SizeCache) -> u32 {
        #[allow(unused_imports)]
        use crate::__private::buffa::Enumeration as _;
        let mut size = 0u64;
        if !self.host.is_empty() {
            size += 1u64 + crate::__private::buffa::types::string_encoded_len(&self.host) as u64;
        }
        if let ::core::option::Option::Some(ref v) = self.message_request {
            match v {
                __buffa::oneof::server_reflection_request::MessageRequest::FileByFilename(
                    x,
                ) => {
                    size += 1u64 + crate::__private::buffa::types::string_encoded_len(x) as u64;
                }
                __buffa::oneof::server_reflection_request::MessageRequest::FileContainingSymbol(
                    x,
                ) => {
                    size += 1u64 + crate::__private::buffa::types::string_encoded_len(x) as u64;
                }
                __buffa::oneof::server_reflection_request::MessageRequest::FileContainingExtension(
                    x,
                ) => {
                    let __slot = __cache.reserve();
                    let inner = x.compute_size(__cache);
                    __cache.set(__slot, inner);
                    size
                        += 1u64 + crate::__private::buffa::encoding::varint_len(inner as u64) as u64
                            + inner as u64;
                }
                __buffa::oneof::server_reflection_request::MessageRequest::AllExtensionNumbersOfType(
                    x,
                ) => {
                    size += 1u64 + crate::__private::buffa::types::string_encoded_len(x) as u64;
                }
                __buffa::oneof::server_reflection_request::MessageRequest::ListServices(
                    x,
                ) => {
                    size += 1u64 + crate::__private::buffa::types::string_encoded_len(x) as u64;
                }
            }
        }
        size += self.__buffa_unknown_fields.encoded_len() as u64;
        crate::__private::buffa::saturate_size(size)
    }
    fn write_to(
        &self,
        __cache: &mut crate::__private::buffa::SizeCache,
        buf: &mut impl crate::__private::buffa::EncodeSink,
    ) {
        #[allow(unused_imports)]
        use crate::__private::buffa::Enumeration as _;
        if !self.host.is_empty() {
            crate::__private::buffa::types::put_string_field(1u32, &self.host, buf);
        }
        if let ::core::option::Option::Some(ref v) = self.message_request {
            match v {
                __buffa::oneof::server_reflection_request::MessageRequest::FileByFilename(
                    x,
                ) => {
                    crate::__private::buffa::types::put_string_field(3u32, x, buf);
                }
                __buffa::oneof::server_reflection_request::MessageRequest::FileContainingSymbol(
                    x,
                ) => {
                    crate::__private::buffa::types::put_string_field(4u32, x, buf);
                }
                __buffa::oneof::server_reflection_request::MessageRequest::FileContainingExtension(
                    x,
                ) => {
                    crate::__private::buffa::types::put_len_delimited_header(
                        5u32,
                        u64::from(__cache.consume_next()),
                        buf,
                    );
                    x.write_to(__cache, buf);
                }
                __buffa::oneof::server_reflection_request::MessageRequest::AllExtensionNumbersOfType(
                    x,
                ) => {
                    crate::__private::buffa::types::put_string_field(6u32, x, buf);
                }
                __buffa::oneof::server_reflection_request::MessageRequest::ListServices(
                    x,
                ) => {
                    crate::__private::buffa::types::put_string_field(7u32, x, buf);
                }
            }
        }
        self.__buffa_unknown_fields.write_to(buf);
    }
    fn merge_field(
        &mut self,
        tag: crate::__private::buffa::encoding::Tag,
        buf: &mut impl crate::__private::buffa::bytes::Buf,
        ctx: crate::__private::buffa::DecodeContext<'_>,
    ) -> ::core::result::Result<(), crate::__private::buffa::DecodeError> {
        #[allow(unused_imports)]
        use crate::__private::buffa::bytes::Buf as _;
        #[allow(unused_imports)]
        use crate::__private::buffa::Enumeration as _;
        match tag.field_number() {
            1u32 => {
                crate::__private::buffa::encoding::check_wire_type(
                    tag,
                    crate::__private::buffa::encoding::WireType::LengthDelimited,
                )?;
                crate::__private::buffa::types::merge_string(&mut self.host, buf)?;
            }
            3u32 => {
                crate::__private::buffa::encoding::check_wire_type(
                    tag,
                    crate::__private::buffa::encoding::WireType::LengthDelimited,
                )?;
                self.message_request = ::core::option::Option::Some(
                    __buffa::oneof::server_reflection_request::MessageRequest::FileByFilename(
                        crate::__private::buffa::types::decode_string(buf)?,
                    ),
                );
            }
            4u32 => {
                crate::__private::buffa::encoding::check_wire_type(
                    tag,
                    crate::__private::buffa::encoding::WireType::LengthDelimited,
                )?;
                self.message_request = ::core::option::Option::Some(
                    __buffa::oneof::server_reflection_request::MessageRequest::FileContainingSymbol(
                        crate::__private::buffa::types::decode_string(buf)?,
                    ),
                );
            }
            5u32 => {
                crate::__private::buffa::encoding::check_wire_type(
                    tag,
                    crate::__private::buffa::encoding::WireType::LengthDelimited,
                )?;
                if let ::core::option::Option::Some(
                    __buffa::oneof::server_reflection_request::MessageRequest::FileContainingExtension(
                        ref mut existing,
                    ),
                ) = self.message_request
                {
                    crate::__private::buffa::Message::merge_length_delimited(&mut **existing, buf, ctx)?;
                } else {
                    let mut val = ::core::default::Default::default();
                    crate::__private::buffa::Message::merge_length_delimited(&mut val, buf, ctx)?;
                    self.message_request = ::core::option::Option::Some(
                        __buffa::oneof::server_reflection_request::MessageRequest::FileContainingExtension(
                            crate::__private::buffa::alloc::boxed::Box::new(val),
                        ),
                    );
                }
            }
            6u32 => {
                crate::__private::buffa::encoding::check_wire_type(
                    tag,
                    crate::__private::buffa::encoding::WireType::LengthDelimited,
                )?;
                self.message_request = ::core::option::Option::Some(
                    __buffa::oneof::server_reflection_request::MessageRequest::AllExtensionNumbersOfType(
                        crate::__private::buffa::types::decode_string(buf)?,
                    ),
                );
            }
            7u32 => {
                crate::__private::buffa::encoding::check_wire_type(
                    tag,
                    crate::__private::buffa::encoding::WireType::LengthDelimited,
                )?;
                self.message_request = ::core::option::Option::Some(
                    __buffa::oneof::server_reflection_request::MessageRequest::ListServices(
                        crate::__private::buffa::types::decode_string(buf)?,
                    ),
                );
            }
            _ => {
                self.__buffa_unknown_fields
                    .push(crate::__private::buffa::encoding::decode_unknown_field(tag, buf, ctx)?);
            }
        }
        ::core::result::Result::Ok(())
    }
    fn clear(&mut self) {
        self.host.clear();
        self.message_request = ::core::option::Option::None;
        self.__buffa_unknown_fields.clear();
    }
}
impl crate::__private::buffa::ExtensionSet for ServerReflectionRequest {
    const PROTO_FQN: &'static str = "grpc.reflection.v1.ServerReflectionRequest";
    fn unknown_fields(&self) -> &crate::__private::buffa::UnknownFields {
        &self.__buffa_unknown_fields
    }
    fn unknown_fields_mut(&mut self) -> &mut crate::__private::buffa::UnknownFields {
        &mut self.__buffa_unknown_fields
    }
}
impl<'de> crate::__private::serde::Deserialize<'de> for ServerReflectionRequest {
    fn deserialize<D: crate::__private::serde::Deserializer<'de>>(
        d: D,
    ) -> ::core::result::Result<Self, D::Error> {
        struct _V;
        impl<'de> crate::__private::serde::de::Visitor<'de> for _V {
            type Value = ServerReflectionRequest;
            fn expecting(
                &self,
                f: &mut ::core::fmt::Formatter<'_>,
            ) -> ::core::fmt::Result {
                f.write_str("struct ServerReflectionRequest")
            }
            #[allow(clippy::field_reassign_with_default)]
            fn visit_map<A: crate::__private::serde::de::MapAccess<'de>>(
                self,
                mut map: A,
            ) -> ::core::result::Result<ServerReflectionRequest, A::Error> {
                let mut __f_host: ::core::option::Option<
                    crate::__private::buffa::alloc::string::String,
                > = None;
                let mut __oneof_message_request: ::core::option::Option<
                    __buffa::oneof::server_reflection_request::MessageRequest,
                > = None;
                while let Some(key) = map.next_key::<crate::__private::buffa::alloc::string::String>()? {
                    match key.as_str() {
                        "host" => {
                            __f_host = Some({
                                struct _S;
                                impl<'de> crate::__private::serde::de::DeserializeSeed<'de> for _S {
                                    type Value = crate::__private::buffa::alloc::string::String;
                                    fn deserialize<D: crate::__private::serde::Deserializer<'de>>(
                                        self,
                                        d: D,
                                    ) -> ::core::result::Result<
                                        crate::__private::buffa::alloc::string::String,
                                        D::Error,
                                    > {
                                        crate::__private::buffa::json_helpers::proto_string::deserialize(d)
                                    }
                                }
                                map.next_value_seed(_S)?
                            });
                        }
                        "fileByFilename" | "file_by_filename" => {
                            let v: ::core::option::Option<
                                crate::__private::buffa::alloc::string::String,
                            > = map
                                .next_value_seed(
                                    crate::__private::buffa::json_helpers::NullableDeserializeSeed(
                                        crate::__private::buffa::json_helpers::DefaultDeserializeSeed::<
                                            crate::__private::buffa::alloc::string::String,
                                        >::new(),
                                    ),
                                )?;
                            if let Some(v) = v {
                                if __oneof_message_request.is_some() {
                                    return Err(
                                        crate::__private::serde::de::Error::custom(
                                            "multiple oneof fields set for 'message_request'",
                                        ),
                                    );
                                }
                                __oneof_message_request = Some(
                                    __buffa::oneof::server_reflection_request::MessageRequest::FileByFilename(
                                        v,
                                    ),
                                );
                            }
                        }
                        "fileContainingSymbol" | "file_containing_symbol" => {
                            let v: ::core::option::Option<
                                crate::__private::buffa::alloc::string::String,
                            > = map
                                .next_value_seed(
                                    crate::__private::buffa::json_helpers::NullableDeserializeSeed(
                                        crate::__private::buffa::json_helpers::DefaultDeserializeSeed::<
                                            crate::__private::buffa::alloc::string::String,
                                        >::new(),
                                    ),
                                )?;
                            if let Some(v) = v {
                                if __oneof_message_request.is_some() {
                                    return Err(
                                        crate::__private::serde::de::Error::custom(
                                            "multiple oneof fields set for 'message_request'",
                                        ),
                                    );
                                }
                                __oneof_message_request = Some(
                                    __buffa::oneof::server_reflection_request::MessageRequest::FileContainingSymbol(
                                        v,
                                    ),
                                );
                            }
                        }
                        "fileContainingExtension" | "file_containing_extension" => {
                            let v: ::core::option::Option<ExtensionRequest> = map
                                .next_value_seed(
                                    crate::__private::buffa::json_helpers::NullableDeserializeSeed(
                                        crate::__private::buffa::json_helpers::DefaultDeserializeSeed::<
                                            ExtensionRequest,
                                        >::new(),
                                    ),
                                )?;
                            if let Some(v) = v {
                                if __oneof_message_request.is_some() {
                                    return Err(
                                        crate::__private::serde::de::Error::custom(
                                            "multiple oneof fields set for 'message_request'",
                                        ),
                                    );
                                }
                                __oneof_message_request = Some(
                                    __buffa::oneof::server_reflection_request::MessageRequest::FileContainingExtension(
                                        crate::__private::buffa::alloc::boxed::Box::new(v),
                                    ),
                                );
                            }
                        }
                        "allExtensionNumbersOfType"
                        | "all_extension_numbers_of_type" => {
                            let v: ::core::option::Option<
                                crate::__private::buffa::alloc::string::String,
                            > = map
                                .next_value_seed(
                                    crate::__private::buffa::json_helpers::NullableDeserializeSeed(
                                        crate::__private::buffa::json_helpers::DefaultDeserializeSeed::<
                                            crate::__private::buffa::alloc::string::String,
                                        >::new(),
                                    ),
                                )?;
                            if let Some(v) = v {
                                if __oneof_message_request.is_some() {
                                    return Err(
                                        crate::__private::serde::de::Error::custom(
                                            "multiple oneof fields set for 'message_request'",
                                        ),
                                    );
                                }
                                __oneof_message_request = Some(
                                    __buffa::oneof::server_reflection_request::MessageRequest::AllExtensionNumbersOfType(
                                        v,
                                    ),
                                );
                            }
                        }
                        "listServices" | "list_services" => {
                            let v: ::core::option::Option<
                                crate::__private::buffa::alloc::string::String,
                            > = map
                                .next_value_seed(
                                    crate::__private::buffa::json_helpers::NullableDeserializeSeed(
                                        crate::__private::buffa::json_helpers::DefaultDeserializeSeed::<
                                            crate::__private::buffa::alloc::string::String,
                                        >::new(),
                                    ),
                                )?;
                            if let Some(v) = v {
                                if __oneof_message_request.is_some() {
                                    return Err(
                                        crate::__private::serde::de::Error::custom(
                                            "multiple oneof fields set for 'message_request'",
                                        ),
                                    );
                                }
                                __oneof_message_request = Some(
                                    __buffa::oneof::server_reflection_request::MessageRequest::ListServices(
                                        v,
                                    ),
                                );
                            }
                        }
                        _ => {
                            map.next_value::<crate::__private::serde::de::IgnoredAny>()?;
                        }
                    }
                }
                let mut __r = <ServerReflectionRequest as ::core::default::Default>::default();
                if let ::core::option::Option::Some(v) = __f_host {
                    __r.host = v;
                }
                __r.message_request = __oneof_message_request;
                Ok(__r)
            }
        }
        d.deserialize_map(_V)
    }
}
impl crate::__private::buffa::json_helpers::ProtoElemJson for ServerReflectionRequest {
    fn serialize_proto_json<S: crate::__private::serde::Serializer>(
        v: &Self,
        s: S,
    ) -> ::core::result::Result<S::Ok, S::Error> {
        crate::__private::serde::Serialize::serialize(v, s)
    }
    fn deserialize_proto_json<'de, D: crate::__private::serde::Deserializer<'de>>(
        d: D,
    ) -> ::core::result::Result<Self, D::Error> {
        <Self as crate::__private::serde::Deserialize>::deserialize(d)
    }
}
#[doc(hidden)]
pub const __SERVER_REFLECTION_REQUEST_JSON_ANY: crate::__private::buffa::type_registry::JsonAnyEntry = crate::__private::buffa::type_registry::JsonAnyEntry {
    type_url: "type.googleapis.com/grpc.reflection.v1.ServerReflectionRequest",
    to_json: crate::__private::buffa::type_registry::any_to_json::<ServerReflectionRequest>,
    from_json: crate::__private::buffa::type_registry::any_from_json::<ServerReflectionRequest>,
    is_wkt: false,
};
pub mod server_reflection_request {
    #[allow(unused_imports)]
    use super::*;
    #[doc(inline)]
    pub use super::__buffa::oneof::server_reflection_request::MessageRequest;
}
/// An extension by its number.
#[derive(Clone, PartialEq, Default)]
#[derive(crate::__private::serde::Serialize, crate::__private::serde::Deserialize)]
#[serde(crate = "crate::__private::serde")]
#[serde(default)]
pub struct ExtensionRequest {
    /// The message that is extended.
    ///
    /// Field 1: `containing_type`
    #[serde(
        rename = "containingType",
        alias = "containing_type",
        with = "crate::__private::buffa::json_helpers::proto_string",
        skip_serializing_if = "crate::__private::buffa::json_helpers::skip_if::is_empty_str"
    )]
    pub containing_type: crate::__private::buffa::alloc::string::String,
    /// Field 2: `extension_number`
    #[serde(
        rename = "extensionNumber",
        alias = "extension_number",
        with = "crate::__private::buffa::json_helpers::int32",
        skip_serializing_if = "crate::__private::buffa::json_helpers::skip_if::is_zero_i32"
    )]
    pub extension_number: i32,
    #[serde(skip)]
    #[doc(hidden)]
    pub __buffa_unknown_fields: crate::__private::buffa::UnknownFields,
}
impl ::core::fmt::Debug for ExtensionRequest {
    fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
        f.debug_struct("ExtensionRequest")
            .field("containing_type", &self.containing_type)
            .field("extension_number", &self.extension_number)
            .finish()
    }
}
impl ExtensionRequest {
    /// Protobuf type URL for this message, for use with `Any::pack` and
    /// `Any::unpack_if`.
    ///
    /// Format: `type.googleapis.com/<fully.qualified.TypeName>`
    pub const TYPE_URL: &'static str = "type.googleapis.com/grpc.reflection.v1.ExtensionRequest";
}
crate::__private::buffa::impl_default_instance!(ExtensionRequest);
impl crate::__private::buffa::MessageName for ExtensionRequest {
    const PACKAGE: &'static str = "grpc.reflection.v1";
    const NAME: &'static str = "ExtensionRequest";
    const FULL_NAME: &'static str = "grpc.reflection.v1.ExtensionRequest";
    const TYPE_URL: &'static str = "type.googleapis.com/grpc.reflection.v1.ExtensionRequest";
}
impl crate::__private::buffa::Message for ExtensionRequest {
    /// Returns the total encoded size in bytes.
    ///
    /// Accumulates in `u64` (which cannot overflow for in-memory
    /// data) and saturates to `u32` at return, so a message whose
    /// encoded size exceeds the 2 GiB protobuf limit yields a value
    /// above [`::buffa::MAX_MESSAGE_BYTES`] that the encode entry
    /// points reject, never a silently wrapped size.
    #[allow(clippy::let_and_return)]
    fn compute_size(&self, _cache: &mut crate::__private::buffa::SizeCache) -> u32 {
        #[allow(unused_imports)]
        use crate::__private::buffa::Enumeration as _;
        let mut size = 0u64;
        if !self.containing_type.is_empty() {
            size
                += 1u64
                    + crate::__private::buffa::types::string_encoded_len(&self.containing_type) as u64;
        }
        if self.extension_number != 0i32 {
            size
                += 1u64
                    + crate::__private::buffa::types::int32_encoded_len(self.extension_number) as u64;
        }
        size += self.__buffa_unknown_fields.encoded_len() as u64;
        crate::__private::buffa::saturate_size(size)
    }
    fn write_to(
        &self,
        _cache: &mut crate::__private::buffa::SizeCache,
        buf: &mut impl crate::__private::buffa::EncodeSink,
    ) {
        #[allow(unused_imports)]
        use crate::__private::buffa::Enumeration as _;
        if !self.containing_type.is_empty() {
            crate::__private::buffa::types::put_string_field(1u32, &self.containing_type, buf);
        }
        if self.extension_number != 0i32 {
            crate::__private::buffa::types::put_int32_field(2u32, self.extension_number, buf);
        }
        self.__buffa_unknown_fields.write_to(buf);
    }
    fn merge_field(
        &mut self,
        tag: crate::__private::buffa::encoding::Tag,
        buf: &mut impl crate::__private::buffa::bytes::Buf,
        ctx: crate::__private::buffa::DecodeContext<'_>,
    ) -> ::core::result::Result<(), crate::__private::buffa::DecodeError> {
        #[allow(unused_imports)]
        use crate::__private::buffa::bytes::Buf as _;
        #[allow(unused_imports)]
        use crate::__private::buffa::Enumeration as _;
        match tag.field_number() {
            1u32 => {
                crate::__private::buffa::encoding::check_wire_type(
                    tag,
                    crate::__private::buffa::encoding::WireType::LengthDelimited,
                )?;
                crate::__private::buffa::types::merge_string(&mut self.containing_type, buf)?;
            }
            2u32 => {
                crate::__private::buffa::encoding::check_wire_type(
                    tag,
                    crate::__private::buffa::encoding::WireType::Varint,
                )?;
                self.extension_number = crate::__private::buffa::types::decode_int32(buf)?;
            }
            _ => {
                self.__buffa_unknown_fields
                    .push(crate::__private::buffa::encoding::decode_unknown_field(tag, buf, ctx)?);
            }
        }
        ::core::result::Result::Ok(())
    }
    fn clear(&mut self) {
        self.containing_type.clear();
        self.extension_number = 0i32;
        self.__buffa_unknown_fields.clear();
    }
}
impl crate::__private::buffa::ExtensionSet for ExtensionRequest {
    const PROTO_FQN: &'static str = "grpc.reflection.v1.ExtensionRequest";
    fn unknown_fields(&self) -> &crate::__private::buffa::UnknownFields {
        &self.__buffa_unknown_fields
    }
    fn unknown_fields_mut(&mut self) -> &mut crate::__private::buffa::UnknownFields {
        &mut self.__buffa_unknown_fields
    }
}
impl crate::__private::buffa::json_helpers::ProtoElemJson for ExtensionRequest {
    fn serialize_proto_json<S: crate::__private::serde::Serializer>(
        v: &Self,
        s: S,
    ) -> ::core::result::Result<S::Ok, S::Error> {
        crate::__private::serde::Serialize::serialize(v, s)
    }
    fn deserialize_proto_json<'de, D: crate::__private::serde::Deserializer<'de>>(
        d: D,
    ) -> ::core::result::Result<Self, D::Error> {
        <Self as crate::__private::serde::Deserialize>::deserialize(d)
    }
}
#[doc(hidden)]
pub const __EXTENSION_REQUEST_JSON_ANY: crate::__private::buffa::type_registry::JsonAnyEntry = crate::__private::buffa::type_registry::JsonAnyEntry {
    type_url: "type.googleapis.com/grpc.reflection.v1.ExtensionRequest",
    to_json: crate::__private::buffa::type_registry::any_to_json::<ExtensionRequest>,
    from_json: crate::__private::buffa::type_registry::any_from_json::<ExtensionRequest>,
    is_wkt: false,
};
/// The answer to one question.
#[derive(Clone, PartialEq, Default)]
#[derive(crate::__private::serde::Serialize)]
#[serde(crate = "crate::__private::serde")]
#[serde(default)]
pub struct ServerReflectionResponse {
    /// Field 1: `valid_host`
    #[serde(
        rename = "validHost",
        alias = "valid_host",
        with = "crate::__private::buffa::json_helpers::proto_string",
        skip_serializing_if = "crate::__private::buffa::json_helpers::skip_if::is_empty_str"
    )]
    pub valid_host: crate::__private::buffa::alloc::string::String,
    /// Field 2: `original_request`
    #[serde(
        rename = "originalRequest",
        alias = "original_request",
        skip_serializing_if = "crate::__private::buffa::json_helpers::skip_if::is_unset_message_field"
    )]
    pub original_request: crate::__private::buffa::MessageField<
        ServerReflectionRequest,
        crate::__private::buffa::Inline<ServerReflectionRequest>,
    >,
    #[serde(flatten)]
    pub message_response: ::core::option::Option<
        __buffa::oneof::server_reflection_response::MessageResponse,
    >,
    #[serde(skip)]
    #[doc(hidden)]
    pub __buffa_unknown_fields: crate::__private::buffa::UnknownFields,
}
impl ::core::fmt::Debug for ServerReflectionResponse {
    fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
        f.debug_struct("ServerReflectionResponse")
            .field("valid_host", &self.valid_host)
            .field("original_request", &self.original_request)
            .field("message_response", &self.message_response)
            .finish()
    }
}
impl ServerReflectionResponse {
    /// Protobuf type URL for this message, for use with `Any::pack` and
    /// `Any::unpack_if`.
    ///
    /// Format: `type.googleapis.com/<fully.qualified.TypeName>`
    pub const TYPE_URL: &'static str = "type.googleapis.com/grpc.reflection.v1.ServerReflectionResponse";
}
crate::__private::buffa::impl_default_instance!(ServerReflectionResponse);
impl crate::__private::buffa::MessageName for ServerReflectionResponse {
    const PACKAGE: &'static str = "grpc.reflection.v1";
    const NAME: &'static str = "ServerReflectionResponse";
    const FULL_NAME: &'static str = "grpc.reflection.v1.ServerReflectionResponse";
    const TYPE_URL: &'static str = "type.googleapis.com/grpc.reflection.v1.ServerReflectionResponse";
}
impl crate::__private::buffa::Message for ServerReflectionResponse {
    /// Returns the total encoded size in bytes.
    ///
    /// Accumulates in `u64` (which cannot overflow for in-memory
    /// data) and saturates to `u32` at return, so a message whose
    /// encoded size exceeds the 2 GiB protobuf limit yields a value
    /// above [`::buffa::MAX_MESSAGE_BYTES`] that the encode entry
    /// points reject, never a silently wrapped size.
    #[allow(clippy::let_and_return)]
    fn compute_size(&self, __cache: &mut crate::__private::buffa::SizeCache) -> u32 {
        #[allow(unused_imports)]
        use crate::__private::buffa::Enumeration as _;
        let mut size = 0u64;
        if !self.valid_host.is_empty() {
            size += 1u64 + crate::__private::buffa::types::string_encoded_len(&self.valid_host) as u64;
        }
        if self.original_request.is_set() {
            let __slot = __cache.reserve();
            let inner_size = self.original_request.compute_size(__cache);
            __cache.set(__slot, inner_size);
            size
                += 1u64 + crate::__private::buffa::encoding::varint_len(inner_size as u64) as u64
                    + inner_size as u64;
        }
        if let ::core::option::Option::Some(ref v) = self.message_response {
            match v {
                __buffa::oneof::server_reflection_response::MessageResponse::FileDescriptorResponse(
                    x,
                ) => {
                    let __slot = __cache.reserve();
                    let inner = x.compute_size(__cache);
                    __cache.set(__slot, inner);
                    size
                        += 1u64 + crate::__private::buffa::encoding::varint_len(inner as u64) as u64
                            + inner as u64;
                }
                __buffa::oneof::server_reflection_response::MessageResponse::AllExtensionNumbersResponse(
                    x,
                ) => {
                    let __slot = __cache.reserve();
                    let inner = x.compute_size(__cache);
                    __cache.set(__slot, inner);
                    size
                        += 1u64 + crate::__private::buffa::encoding::varint_len(inner as u64) as u64
                            + inner as u64;
                }
                __buffa::oneof::server_reflection_response::MessageResponse::ListServicesResponse(
                    x,
                ) => {
                    let __slot = __cache.reserve();
                    let inner = x.compute_size(__cache);
                    __cache.set(__slot, inner);
                    size
                        += 1u64 + crate::__private::buffa::encoding::varint_len(inner as u64) as u64
                            + inner as u64;
                }
                __buffa::oneof::server_reflection_response::MessageResponse::ErrorResponse(
                    x,
                ) => {
                    let __slot = __cache.reserve();
                    let inner = x.compute_size(__cache);
                    __cache.set(__slot, inner);
                    size
                        += 1u64 + crate::__private::buffa::encoding::varint_len(inner as u64) as u64
                            + inner as u64;
                }
            }
        }
        size += self.__buffa_unknown_fields.encoded_len() as u64;
        crate::__private::buffa::saturate_size(size)
    }
    fn write_to(
        &self,
        __cache: &mut crate::__private::buffa::SizeCache,
        buf: &mut impl crate::__private::buffa::EncodeSink,
    ) {
        #[allow(unused_imports)]
        use crate::__private::buffa::Enumeration as _;
        if !self.valid_host.is_empty() {
            crate::__private::buffa::types::put_string_field(1u32, &self.valid_host, buf);
        }
        if self.original_request.is_set() {
            crate::__private::buffa::types::put_len_delimited_header(
                2u32,
                u64::from(__cache.consume_next()),
                buf,
            );
            self.original_request.write_to(__cache, buf);
        }
        if let ::core::option::Option::Some(ref v) = self.message_response {
            match v {
                __buffa::oneof::server_reflection_response::MessageResponse::FileDescriptorResponse(
                    x,
                ) => {
                    crate::__private::buffa::types::put_len_delimited_header(
                        4u32,
                        u64::from(__cache.consume_next()),
                        buf,
                    );
                    x.write_to(__cache, buf);
                }
                __buffa::oneof::server_reflection_response::MessageResponse::AllExtensionNumbersResponse(
                    x,
                ) => {
                    crate::__private::buffa::types::put_len_delimited_header(
                        5u32,
                        u64::from(__cache.consume_next()),
                        buf,
                    );
                    x.write_to(__cache, buf);
                }
                __buffa::oneof::server_reflection_response::MessageResponse::ListServicesResponse(
                    x,
                ) => {
                    crate::__private::buffa::types::put_len_delimited_header(
                        6u32,
                        u64::from(__cache.consume_next()),
                        buf,
                    );
                    x.write_to(__cache, buf);
                }
                __buffa::oneof::server_reflection_response::MessageResponse::ErrorResponse(
                    x,
                ) => {
                    crate::__private::buffa::types::put_len_delimited_header(
                        7u32,
                        u64::from(__cache.consume_next()),
                        buf,
                    );
                    x.write_to(__cache, buf);
                }
            }
        }
        self.__buffa_unknown_fields.write_to(buf);
    }
    fn merge_field(
        &mut self,
        tag: crate::__private::buffa::encoding::Tag,
        buf: &mut impl crate::__private::buffa::bytes::Buf,
        ctx: crate::__private::buffa::DecodeContext<'_>,
    ) -> ::core::result::Result<(), crate::__private::buffa::DecodeError> {
        #[allow(unused_imports)]
        use crate::__private::buffa::bytes::Buf as _;
        #[allow(unused_imports)]
        use crate::__private::buffa::Enumeration as _;
        match tag.field_number() {
            1u32 => {
                crate::__private::buffa::encoding::check_wire_type(
                    tag,
                    crate::__private::buffa::encoding::WireType::LengthDelimited,
                )?;
                crate::__private::buffa::types::merge_string(&mut self.valid_host, buf)?;
            }
            2u32 => {
                crate::__private::buffa::encoding::check_wire_type(
                    tag,
                    crate::__private::buffa::encoding::WireType::LengthDelimited,
                )?;
                crate::__private::buffa::Message::merge_length_delimited(
                    self.original_request.get_or_insert_default(),
                    buf,
                    ctx,
                )?;
            }
            4u32 => {
                crate::__private::buffa::encoding::check_wire_type(
                    tag,
                    crate::__private::buffa::encoding::WireType::LengthDelimited,
                )?;
                if let ::core::option::Option::Some(
                    __buffa::oneof::server_reflection_response::MessageResponse::FileDescriptorResponse(
                        ref mut existing,
                    ),
                ) = self.message_response
                {
                    crate::__private::buffa::Message::merge_length_delimited(&mut **existing, buf, ctx)?;
                } else {
                    let mut val = ::core::default::Default::default();
                    crate::__private::buffa::Message::merge_length_delimited(&mut val, buf, ctx)?;
                    self.message_response = ::core::option::Option::Some(
                        __buffa::oneof::server_reflection_response::MessageResponse::FileDescriptorResponse(
                            crate::__private::buffa::alloc::boxed::Box::new(val),
                        ),
                    );
                }
            }
            5u32 => {
                crate::__private::buffa::encoding::check_wire_type(
                    tag,
                    crate::__private::buffa::encoding::WireType::LengthDelimited,
                )?;
                if let ::core::option::Option::Some(
                    __buffa::oneof::server_reflection_response::MessageResponse::AllExtensionNumbersResponse(
                        ref mut existing,
                    ),
                ) = self.message_response
                {
                    crate::__private::buffa::Message::merge_length_delimited(&mut **existing, buf, ctx)?;
                } else {
                    let mut val = ::core::default::Default::default();
                    crate::__private::buffa::Message::merge_length_delimited(&mut val, buf, ctx)?;
                    self.message_response = ::core::option::Option::Some(
                        __buffa::oneof::server_reflection_response::MessageResponse::AllExtensionNumbersResponse(
                            crate::__private::buffa::alloc::boxed::Box::new(val),
                        ),
                    );
                }
            }
            6u32 => {
                crate::__private::buffa::encoding::check_wire_type(
                    tag,
                    crate::__private::buffa::encoding::WireType::LengthDelimited,
                )?;
                if let ::core::option::Option::Some(
                    __buffa::oneof::server_reflection_response::MessageResponse::ListServicesResponse(
                        ref mut existing,
                    ),
                ) = self.message_response
                {
                    crate::__private::buffa::Message::merge_length_delimited(&mut **existing, buf, ctx)?;
                } else {
                    let mut val = ::core::default::Default::default();
                    crate::__private::buffa::Message::merge_length_delimited(&mut val, buf, ctx)?;
                    self.message_response = ::core::option::Option::Some(
                        __buffa::oneof::server_reflection_response::MessageResponse::ListServicesResponse(
                            crate::__private::buffa::alloc::boxed::Box::new(val),
                        ),
                    );
                }
            }
            7u32 => {
                crate::__private::buffa::encoding::check_wire_type(
                    tag,
                    crate::__private::buffa::encoding::WireType::LengthDelimited,
                )?;
                if let ::core::option::Option::Some(
                    __buffa::oneof::server_reflection_response::MessageResponse::ErrorResponse(
                        ref mut existing,
                    ),
                ) = self.message_response
                {
                    crate::__private::buffa::Message::merge_length_delimited(&mut **existing, buf, ctx)?;
                } else {
                    let mut val = ::core::default::Default::default();
                    crate::__private::buffa::Message::merge_length_delimited(&mut val, buf, ctx)?;
                    self.message_response = ::core::option::Option::Some(
                        __buffa::oneof::server_reflection_response::MessageResponse::ErrorResponse(
                            crate::__private::buffa::alloc::boxed::Box::new(val),
                        ),
                    );
                }
            }
            _ => {
                self.__buffa_unknown_fields
                    .push(crate::__private::buffa::encoding::decode_unknown_field(tag, buf, ctx)?);
            }
        }
        ::core::result::Result::Ok(())
    }
    fn clear(&mut self) {
        self.valid_host.clear();
        self.original_request = crate::__private::buffa::MessageField::none();
        self.message_response = ::core::option::Option::None;
        self.__buffa_unknown_fields.clear();
    }
}
impl crate::__private::buffa::ExtensionSet for ServerReflectionResponse {
    const PROTO_FQN: &'static str = "grpc.reflection.v1.ServerReflectionResponse";
    fn unknown_fields(&self) -> &crate::__private::buffa::UnknownFields {
        &self.__buffa_unknown_fields
    }
    fn unknown_fields_mut(&mut self) -> &mut crate::__private::buffa::UnknownFields {
        &mut self.__buffa_unknown_fields
    }
}
impl<'de> crate::__private::serde::Deserialize<'de> for ServerReflectionResponse {
    fn deserialize<D: crate::__private::serde::Deserializer<'de>>(
        d: D,
    ) -> ::core::result::Result<Self, D::Error> {
        struct _V;
        impl<'de> crate::__private::serde::de::Visitor<'de> for _V {
            type Value = ServerReflectionResponse;
            fn expecting(
                &self,
                f: &mut ::core::fmt::Formatter<'_>,
            ) -> ::core::fmt::Result {
                f.write_str("struct ServerReflectionResponse")
            }
            #[allow(clippy::field_reassign_with_default)]
            fn visit_map<A: crate::__private::serde::de::MapAccess<'de>>(
                self,
                mut map: A,
            ) -> ::core::result::Result<ServerReflectionResponse, A::Error> {
                let mut __f_valid_host: ::core::option::Option<
                    crate::__private::buffa::alloc::string::String,
                > = None;
                let mut __f_original_request: ::core::option::Option<
                    crate::__private::buffa::MessageField<
                        ServerReflectionRequest,
                        crate::__private::buffa::Inline<ServerReflectionRequest>,
                    >,
                > = None;
                let mut __oneof_message_response: ::core::option::Option<
                    __buffa::oneof::server_reflection_response::MessageResponse,
                > = None;
                while let Some(key) = map.next_key::<crate::__private::buffa::alloc::string::String>()? {
                    match key.as_str() {
                        "validHost" | "valid_host" => {
                            __f_valid_host = Some({
                                struct _S;
                                impl<'de> crate::__private::serde::de::DeserializeSeed<'de> for _S {
                                    type Value = crate::__private::buffa::alloc::string::String;
                                    fn deserialize<D: crate::__private::serde::Deserializer<'de>>(
                                        self,
                                        d: D,
                                    ) -> ::core::result::Result<
                                        crate::__private::buffa::alloc::string::String,
                                        D::Error,
                                    > {
                                        crate::__private::buffa::json_helpers::proto_string::deserialize(d)
                                    }
                                }
                                map.next_value_seed(_S)?
                            });
                        }
                        "originalRequest" | "original_request" => {
                            __f_original_request = Some(
                                map
                                    .next_value::<
                                        crate::__private::buffa::MessageField<
                                            ServerReflectionRequest,
                                            crate::__private::buffa::Inline<ServerReflectionRequest>,
                                        >,
                                    >()?,
                            );
                        }
                        "fileDescriptorResponse" | "file_descriptor_response" => {
                            let v: ::core::option::Option<FileDescriptorResponse> = map
                                .next_value_seed(
                                    crate::__private::buffa::json_helpers::NullableDeserializeSeed(
                                        crate::__private::buffa::json_helpers::DefaultDeserializeSeed::<
                                            FileDescriptorResponse,
                                        >::new(),
                                    ),
                                )?;
                            if let Some(v) = v {
                                if __oneof_message_response.is_some() {
                                    return Err(
                                        crate::__private::serde::de::Error::custom(
                                            "multiple oneof fields set for 'message_response'",
                                        ),
                                    );
                                }
                                __oneof_message_response = Some(
                                    __buffa::oneof::server_reflection_response::MessageResponse::FileDescriptorResponse(
                                        crate::__private::buffa::alloc::boxed::Box::new(v),
                                    ),
                                );
                            }
                        }
                        "allExtensionNumbersResponse"
                        | "all_extension_numbers_response" => {
                            let v: ::core::option::Option<ExtensionNumberResponse> = map
                                .next_value_seed(
                                    crate::__private::buffa::json_helpers::NullableDeserializeSeed(
                                        crate::__private::buffa::json_helpers::DefaultDeserializeSeed::<
                                            ExtensionNumberResponse,
                                        >::new(),
                                    ),
                                )?;
                            if let Some(v) = v {
                                if __oneof_message_response.is_some() {
                                    return Err(
                                        crate::__private::serde::de::Error::custom(
                                            "multiple oneof fields set for 'message_response'",
                                        ),
                                    );
                                }
                                __oneof_message_response = Some(
                                    __buffa::oneof::server_reflection_response::MessageResponse::AllExtensionNumbersResponse(
                                        crate::__private::buffa::alloc::boxed::Box::new(v),
                                    ),
                                );
                            }
                        }
                        "listServicesResponse" | "list_services_response" => {
                            let v: ::core::option::Option<ListServiceResponse> = map
                                .next_value_seed(
                                    crate::__private::buffa::json_helpers::NullableDeserializeSeed(
                                        crate::__private::buffa::json_helpers::DefaultDeserializeSeed::<
                                            ListServiceResponse,
                                        >::new(),
                                    ),
                                )?;
                            if let Some(v) = v {
                                if __oneof_message_response.is_some() {
                                    return Err(
                                        crate::__private::serde::de::Error::custom(
                                            "multiple oneof fields set for 'message_response'",
                                        ),
                                    );
                                }
                                __oneof_message_response = Some(
                                    __buffa::oneof::server_reflection_response::MessageResponse::ListServicesResponse(
                                        crate::__private::buffa::alloc::boxed::Box::new(v),
                                    ),
                                );
                            }
                        }
                        "errorResponse" | "error_response" => {
                            let v: ::core::option::Option<ErrorResponse> = map
                                .next_value_seed(
                                    crate::__private::buffa::json_helpers::NullableDeserializeSeed(
                                        crate::__private::buffa::json_helpers::DefaultDeserializeSeed::<
                                            ErrorResponse,
                                        >::new(),
                                    ),
                                )?;
                            if let Some(v) = v {
                                if __oneof_message_response.is_some() {
                                    return Err(
                                        crate::__private::serde::de::Error::custom(
                                            "multiple oneof fields set for 'message_response'",
                                        ),
                                    );
                                }
                                __oneof_message_response = Some(
                                    __buffa::oneof::server_reflection_response::MessageResponse::ErrorResponse(
                                        crate::__private::buffa::alloc::boxed::Box::new(v),
                                    ),
                                );
                            }
                        }
                        _ => {
                            map.next_value::<crate::__private::serde::de::IgnoredAny>()?;
                        }
                    }
                }
                let mut __r = <ServerReflectionResponse as ::core::default::Default>::default();
                if let ::core::option::Option::Some(v) = __f_valid_host {
                    __r.valid_host = v;
                }
                if let ::core::option::Option::Some(v) = __f_original_request {
                    __r.original_request = v;
                }
                __r.message_response = __oneof_message_response;
                Ok(__r)
            }
        }
        d.deserialize_map(_V)
    }
}
impl crate::__private::buffa::json_helpers::ProtoElemJson for ServerReflectionResponse {
    fn serialize_proto_json<S: crate::__private::serde::Serializer>(
        v: &Self,
        s: S,
    ) -> ::core::result::Result<S::Ok, S::Error> {
        crate::__private::serde::Serialize::serialize(v, s)
    }
    fn deserialize_proto_json<'de, D: crate::__private::serde::Deserializer<'de>>(
        d: D,
    ) -> ::core::result::Result<Self, D::Error> {
        <Self as crate::__private::serde::Deserialize>::deserialize(d)
    }
}
#[doc(hidden)]
pub const __SERVER_REFLECTION_RESPONSE_JSON_ANY: crate::__private::buffa::type_registry::JsonAnyEntry = crate::__private::buffa::type_registry::JsonAnyEntry {
    type_url: "type.googleapis.com/grpc.reflection.v1.ServerReflectionResponse",
    to_json: crate::__private::buffa::type_registry::any_to_json::<ServerReflectionResponse>,
    from_json: crate::__private::buffa::type_registry::any_from_json::<ServerReflectionResponse>,
    is_wkt: false,
};
pub mod server_reflection_response {
    #[allow(unused_imports)]
    use super::*;
    #[doc(inline)]
    pub use super::__buffa::oneof::server_reflection_response::MessageResponse;
}
/// Files, each a serialized `google.protobuf.FileDescriptorProto`.
#[derive(Clone, PartialEq, Default)]
#[derive(crate::__private::serde::Serialize, crate::__private::serde::Deserialize)]
#[serde(crate = "crate::__private::serde")]
#[serde(default)]
pub struct FileDescriptorResponse {
    /// The file that was asked for, then those that it imports, but for what this stream was sent already.
    ///
    /// Field 1: `file_descriptor_proto`
    #[serde(
        rename = "fileDescriptorProto",
        alias = "file_descriptor_proto",
        with = "crate::__private::buffa::json_helpers::proto_seq",
        skip_serializing_if = "crate::__private::buffa::json_helpers::skip_if::is_empty_vec"
    )]
    pub file_descriptor_proto: crate::__private::buffa::alloc::vec::Vec<crate::__private::buffa::bytes::Bytes>,
    #[serde(skip)]
    #[doc(hidden)]
    pub __buffa_unknown_fields: crate::__private::buffa::UnknownFields,
}
impl ::core::fmt::Debug for FileDescriptorResponse {
    fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
        f.debug_struct("FileDescriptorResponse")
            .field("file_descriptor_proto", &self.file_descriptor_proto)
            .finish()
    }
}
impl FileDescriptorResponse {
    /// Protobuf type URL for this message, for use with `Any::pack` and
    /// `Any::unpack_if`.
    ///
    /// Format: `type.googleapis.com/<fully.qualified.TypeName>`
    pub const TYPE_URL: &'static str = "type.googleapis.com/grpc.reflection.v1.FileDescriptorResponse";
}
crate::__private::buffa::impl_default_instance!(FileDescriptorResponse);
impl crate::__private::buffa::MessageName for FileDescriptorResponse {
    const PACKAGE: &'static str = "grpc.reflection.v1";
    const NAME: &'static str = "FileDescriptorResponse";
    const FULL_NAME: &'static str = "grpc.reflection.v1.FileDescriptorResponse";
    const TYPE_URL: &'static str = "type.googleapis.com/grpc.reflection.v1.FileDescriptorResponse";
}
impl crate::__private::buffa::Message for FileDescriptorResponse {
    /// Returns the total encoded size in bytes.
    ///
    /// Accumulates in `u64` (which cannot overflow for in-memory
    /// data) and saturates to `u32` at return, so a message whose
    /// encoded size exceeds the 2 GiB protobuf limit yields a value
    /// above [`::buffa::MAX_MESSAGE_BYTES`] that the encode entry
    /// points reject, never a silently wrapped size.
    #[allow(clippy::let_and_return)]
    fn compute_size(&self, _cache: &mut crate::__private::buffa::SizeCache) -> u32 {
        #[allow(unused_imports)]
        use crate::__private::buffa::Enumeration as _;
        let mut size = 0u64;
        for v in &self.file_descriptor_proto {
            size += 1u64 + crate::__private::buffa::types::bytes_encoded_len(v) as u64;
        }
        size += self.__buffa_unknown_fields.encoded_len() as u64;
        crate::__private::buffa::saturate_size(size)
    }
    fn write_to(
        &self,
        _cache: &mut crate::__private::buffa::SizeCache,
        buf: &mut impl crate::__private::buffa::EncodeSink,
    ) {
        #[allow(unused_imports)]
        use crate::__private::buffa::Enumeration as _;
        for v in &self.file_descriptor_proto {
            crate::__private::buffa::types::put_shared_bytes_field(1u32, v, buf);
        }
        self.__buffa_unknown_fields.write_to(buf);
    }
    fn merge_field(
        &mut self,
        tag: crate::__private::buffa::encoding::Tag,
        buf: &mut impl crate::__private::buffa::bytes::Buf,
        ctx: crate::__private::buffa::DecodeContext<'_>,
    ) -> ::core::result::Result<(), crate::__private::buffa::DecodeError> {
        #[allow(unused_imports)]
        use crate::__private::buffa::bytes::Buf as _;
        #[allow(unused_imports)]
        use crate::__private::buffa::Enumeration as _;
        match tag.field_number() {
            1u32 => {
                crate::__private::buffa::encoding::check_wire_type(
                    tag,
                    crate::__private::buffa::encoding::WireType::LengthDelimited,
                )?;
                let __elem = crate::__private::buffa::types::decode_bytes_to_bytes(buf)?;
                ctx.register_element_memory(
                    crate::__private::buffa::__private::element_footprint(&__elem),
                )?;
                self.file_descriptor_proto.push(__elem);
            }
            _ => {
                self.__buffa_unknown_fields
                    .push(crate::__private::buffa::encoding::decode_unknown_field(tag, buf, ctx)?);
            }
        }
        ::core::result::Result::Ok(())
    }
    fn clear(&mut self) {
        self.file_descriptor_proto.clear();
        self.__buffa_unknown_fields.clear();
    }
}
impl crate::__private::buffa::ExtensionSet for FileDescriptorResponse {
    const PROTO_FQN: &'static str = "grpc.reflection.v1.FileDescriptorResponse";
    fn unknown_fields(&self) -> &crate::__private::buffa::UnknownFields {
        &self.__buffa_unknown_fields
    }
    fn unknown_fields_mut(&mut self) -> &mut crate::__private::buffa::UnknownFields {
        &mut self.__buffa_unknown_fields
    }
}
impl crate::__private::buffa::json_helpers::ProtoElemJson for FileDescriptorResponse {
    fn serialize_proto_json<S: crate::__private::serde::Serializer>(
        v: &Self,
        s: S,
    ) -> ::core::result::Result<S::Ok, S::Error> {
        crate::__private::serde::Serialize::serialize(v, s)
    }
    fn deserialize_proto_json<'de, D: crate::__private::serde::Deserializer<'de>>(
        d: D,
    ) -> ::core::result::Result<Self, D::Error> {
        <Self as crate::__private::serde::Deserialize>::deserialize(d)
    }
}
#[doc(hidden)]
pub const __FILE_DESCRIPTOR_RESPONSE_JSON_ANY: crate::__private::buffa::type_registry::JsonAnyEntry = crate::__private::buffa::type_registry::JsonAnyEntry {
    type_url: "type.googleapis.com/grpc.reflection.v1.FileDescriptorResponse",
    to_json: crate::__private::buffa::type_registry::any_to_json::<FileDescriptorResponse>,
    from_json: crate::__private::buffa::type_registry::any_from_json::<FileDescriptorResponse>,
    is_wkt: false,
};
/// The numbers of extensions.
#[derive(Clone, PartialEq, Default)]
#[derive(crate::__private::serde::Serialize, crate::__private::serde::Deserialize)]
#[serde(crate = "crate::__private::serde")]
#[serde(default)]
pub struct ExtensionNumberResponse {
    /// Field 1: `base_type_name`
    #[serde(
        rename = "baseTypeName",
        alias = "base_type_name",
        with = "crate::__private::buffa::json_helpers::proto_string",
        skip_serializing_if = "crate::__private::buffa::json_helpers::skip_if::is_empty_str"
    )]
    pub base_type_name: crate::__private::buffa::alloc::string::String,
    /// Field 2: `extension_number`
    #[serde(
        rename = "extensionNumber",
        alias = "extension_number",
        skip_serializing_if = "crate::__private::buffa::json_helpers::skip_if::is_empty_vec",
        deserialize_with = "crate::__private::buffa::json_helpers::null_as_default"
    )]
    pub extension_number: crate::__private::buffa::alloc::vec::Vec<i32>,
    #[serde(skip)]
    #[doc(hidden)]
    pub __buffa_unknown_fields: crate::__private::buffa::UnknownFields,
}
impl ::core::fmt::Debug for ExtensionNumberResponse {
    fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
        f.debug_struct("ExtensionNumberResponse")
            .field("base_type_name", &self.base_type_name)
            .field("extension_number", &self.extension_number)
            .finish()
    }
}
impl ExtensionNumberResponse {
    /// Protobuf type URL for this message, for use with `Any::pack` and
    /// `Any::unpack_if`.
    ///
    /// Format: `type.googleapis.com/<fully.qualified.TypeName>`
    pub const TYPE_URL: &'static str = "type.googleapis.com/grpc.reflection.v1.ExtensionNumberResponse";
}
crate::__private::buffa::impl_default_instance!(ExtensionNumberResponse);
impl crate::__private::buffa::MessageName for ExtensionNumberResponse {
    const PACKAGE: &'static str = "grpc.reflection.v1";
    const NAME: &'static str = "ExtensionNumberResponse";
    const FULL_NAME: &'static str = "grpc.reflection.v1.ExtensionNumberResponse";
    const TYPE_URL: &'static str = "type.googleapis.com/grpc.reflection.v1.ExtensionNumberResponse";
}
impl crate::__private::buffa::Message for ExtensionNumberResponse {
    /// Returns the total encoded size in bytes.
    ///
    /// Accumulates in `u64` (which cannot overflow for in-memory
    /// data) and saturates to `u32` at return, so a message whose
    /// encoded size exceeds the 2 GiB protobuf limit yields a value
    /// above [`::buffa::MAX_MESSAGE_BYTES`] that the encode entry
    /// points reject, never a silently wrapped size.
    #[allow(clippy::let_and_return)]
    fn compute_size(&self, _cache: &mut crate::__private::buffa::SizeCache) -> u32 {
        #[allow(unused_imports)]
        use crate::__private::buffa::Enumeration as _;
        let mut size = 0u64;
        if !self.base_type_name.is_empty() {
            size
                += 1u64
                    + crate::__private::buffa::types::string_encoded_len(&self.base_type_name) as u64;
        }
        if !self.extension_number.is_empty() {
            let payload: u64 = self
                .extension_number
                .iter()
                .map(|&v| crate::__private::buffa::types::int32_encoded_len(v) as u64)
                .sum::<u64>();
            size += 1u64 + crate::__private::buffa::encoding::varint_len(payload) as u64 + payload;
        }
        size += self.__buffa_unknown_fields.encoded_len() as u64;
        crate::__private::buffa::saturate_size(size)
    }
    fn write_to(
        &self,
        _cache: &mut crate::__private::buffa::SizeCache,
        buf: &mut impl crate::__private::buffa::EncodeSink,
    ) {
        #[allow(unused_imports)]
        use crate::__private::buffa::Enumeration as _;
        if !self.base_type_name.is_empty() {
            crate::__private::buffa::types::put_string_field(1u32, &self.base_type_name, buf);
        }
        if !self.extension_number.is_empty() {
            let payload: u64 = self
                .extension_number
                .iter()
                .map(|&v| crate::__private::buffa::types::int32_encoded_len(v) as u64)
                .sum::<u64>();
            crate::__private::buffa::types::put_len_delimited_header(2u32, payload, buf);
            for &v in &self.extension_number {
                crate::__private::buffa::types::encode_int32(v, buf);
            }
        }
        self.__buffa_unknown_fields.write_to(buf);
    }
    fn merge_field(
        &mut self,
        tag: crate::__private::buffa::encoding::Tag,
        buf: &mut impl crate::__private::buffa::bytes::Buf,
        ctx: crate::__private::buffa::DecodeContext<'_>,
    ) -> ::core::result::Result<(), crate::__private::buffa::DecodeError> {
        #[allow(unused_imports)]
        use crate::__private::buffa::bytes::Buf as _;
        #[allow(unused_imports)]
        use crate::__private::buffa::Enumeration as _;
        match tag.field_number() {
            1u32 => {
                crate::__private::buffa::encoding::check_wire_type(
                    tag,
                    crate::__private::buffa::encoding::WireType::LengthDelimited,
                )?;
                crate::__private::buffa::types::merge_string(&mut self.base_type_name, buf)?;
            }
            2u32 => {
                if tag.wire_type() == crate::__private::buffa::encoding::WireType::LengthDelimited {
                    let len = crate::__private::buffa::encoding::decode_varint(buf)?;
                    let len = usize::try_from(len)
                        .map_err(|_| crate::__private::buffa::DecodeError::MessageTooLarge)?;
                    if buf.remaining() < len {
                        return ::core::result::Result::Err(
                            crate::__private::buffa::DecodeError::UnexpectedEof,
                        );
                    }
                    if buf.chunk().len() >= len {
                        crate::__private::buffa::types::extend_packed_int32(
                            &buf.chunk()[..len],
                            &mut self.extension_number,
                            len,
                        )?;
                        buf.advance(len);
                    } else {
                        self.extension_number.reserve(len);
                        let mut limited = buf.take(len);
                        while limited.has_remaining() {
                            self.extension_number
                                .push(crate::__private::buffa::types::decode_int32_packed(&mut limited)?);
                        }
                        let leftover = limited.remaining();
                        if leftover > 0 {
                            limited.advance(leftover);
                        }
                    }
                } else if tag.wire_type() == crate::__private::buffa::encoding::WireType::Varint {
                    self.extension_number.push(crate::__private::buffa::types::decode_int32(buf)?);
                } else {
                    return ::core::result::Result::Err(
                        crate::__private::buffa::encoding::wire_type_mismatch(
                            tag,
                            crate::__private::buffa::encoding::WireType::LengthDelimited,
                        ),
                    );
                }
            }
            _ => {
                self.__buffa_unknown_fields
                    .push(crate::__private::buffa::encoding::decode_unknown_field(tag, buf, ctx)?);
            }
        }
        ::core::result::Result::Ok(())
    }
    fn clear(&mut self) {
        self.base_type_name.clear();
        self.extension_number.clear();
        self.__buffa_unknown_fields.clear();
    }
}
impl crate::__private::buffa::ExtensionSet for ExtensionNumberResponse {
    const PROTO_FQN: &'static str = "grpc.reflection.v1.ExtensionNumberResponse";
    fn unknown_fields(&self) -> &crate::__private::buffa::UnknownFields {
        &self.__buffa_unknown_fields
    }
    fn unknown_fields_mut(&mut self) -> &mut crate::__private::buffa::UnknownFields {
        &mut self.__buffa_unknown_fields
    }
}
impl crate::__private::buffa::json_helpers::ProtoElemJson for ExtensionNumberResponse {
    fn serialize_proto_json<S: crate::__private::serde::Serializer>(
        v: &Self,
        s: S,
    ) -> ::core::result::Result<S::Ok, S::Error> {
        crate::__private::serde::Serialize::serialize(v, s)
    }
    fn deserialize_proto_json<'de, D: crate::__private::serde::Deserializer<'de>>(
        d: D,
    ) -> ::core::result::Result<Self, D::Error> {
        <Self as crate::__private::serde::Deserialize>::deserialize(d)
    }
}
#[doc(hidden)]
pub const __EXTENSION_NUMBER_RESPONSE_JSON_ANY: crate::__private::buffa::type_registry::JsonAnyEntry = crate::__private::buffa::type_registry::JsonAnyEntry {
    type_url: "type.googleapis.com/grpc.reflection.v1.ExtensionNumberResponse",
    to_json: crate::__private::buffa::type_registry::any_to_json::<ExtensionNumberResponse>,
    from_json: crate::__private::buffa::type_registry::any_from_json::<ExtensionNumberResponse>,
    is_wkt: false,
};
/// All services.
#[derive(Clone, PartialEq, Default)]
#[derive(crate::__private::serde::Serialize, crate::__private::serde::Deserialize)]
#[serde(crate = "crate::__private::serde")]
#[serde(default)]
pub struct ListServiceResponse {
    /// Field 1: `service`
    #[serde(
        rename = "service",
        skip_serializing_if = "crate::__private::buffa::json_helpers::skip_if::is_empty_vec",
        deserialize_with = "crate::__private::buffa::json_helpers::null_as_default"
    )]
    pub service: crate::__private::buffa::alloc::vec::Vec<ServiceResponse>,
    #[serde(skip)]
    #[doc(hidden)]
    pub __buffa_unknown_fields: crate::__private::buffa::UnknownFields,
}
impl ::core::fmt::Debug for ListServiceResponse {
    fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
        f.debug_struct("ListServiceResponse").field("service", &self.service).finish()
    }
}
impl ListServiceResponse {
    /// Protobuf type URL for this message, for use with `Any::pack` and
    /// `Any::unpack_if`.
    ///
    /// Format: `type.googleapis.com/<fully.qualified.TypeName>`
    pub const TYPE_URL: &'static str = "type.googleapis.com/grpc.reflection.v1.ListServiceResponse";
}
crate::__private::buffa::impl_default_instance!(ListServiceResponse);
impl crate::__private::buffa::MessageName for ListServiceResponse {
    const PACKAGE: &'static str = "grpc.reflection.v1";
    const NAME: &'static str = "ListServiceResponse";
    const FULL_NAME: &'static str = "grpc.reflection.v1.ListServiceResponse";
    const TYPE_URL: &'static str = "type.googleapis.com/grpc.reflection.v1.ListServiceResponse";
}
impl crate::__private::buffa::Message for ListServiceResponse {
    /// Returns the total encoded size in bytes.
    ///
    /// Accumulates in `u64` (which cannot overflow for in-memory
    /// data) and saturates to `u32` at return, so a message whose
    /// encoded size exceeds the 2 GiB protobuf limit yields a value
    /// above [`::buffa::MAX_MESSAGE_BYTES`] that the encode entry
    /// points reject, never a silently wrapped size.
    #[allow(clippy::let_and_return)]
    fn compute_size(&self, __cache: &mut crate::__private::buffa::SizeCache) -> u32 {
        #[allow(unused_imports)]
        use crate::__private::buffa::Enumeration as _;
        let mut size = 0u64;
        for v in &self.service {
            let __slot = __cache.reserve();
            let inner_size = v.compute_size(__cache);
            __cache.set(__slot, inner_size);
            size
                += 1u64 + crate::__private::buffa::encoding::varint_len(inner_size as u64) as u64
                    + inner_size as u64;
        }
        size += self.__buffa_unknown_fields.encoded_len() as u64;
        crate::__private::buffa::saturate_size(size)
    }
    fn write_to(
        &self,
        __cache: &mut crate::__private::buffa::SizeCache,
        buf: &mut impl crate::__private::buffa::EncodeSink,
    ) {
        #[allow(unused_imports)]
        use crate::__private::buffa::Enumeration as _;
        for v in &self.service {
            crate::__private::buffa::types::put_len_delimited_header(
                1u32,
                u64::from(__cache.consume_next()),
                buf,
            );
            v.write_to(__cache, buf);
        }
        self.__buffa_unknown_fields.write_to(buf);
    }
    fn merge_field(
        &mut self,
        tag: crate::__private::buffa::encoding::Tag,
        buf: &mut impl crate::__private::buffa::bytes::Buf,
        ctx: crate::__private::buffa::DecodeContext<'_>,
    ) -> ::core::result::Result<(), crate::__private::buffa::DecodeError> {
        #[allow(unused_imports)]
        use crate::__private::buffa::bytes::Buf as _;
        #[allow(unused_imports)]
        use crate::__private::buffa::Enumeration as _;
        match tag.field_number() {
            1u32 => {
                crate::__private::buffa::encoding::check_wire_type(
                    tag,
                    crate::__private::buffa::encoding::WireType::LengthDelimited,
                )?;
                let mut elem = ::core::default::Default::default();
                ctx.register_element_memory(
                    crate::__private::buffa::__private::element_footprint(&elem),
                )?;
                crate::__private::buffa::Message::merge_length_delimited(&mut elem, buf, ctx)?;
                self.service.push(elem);
            }
            _ => {
                self.__buffa_unknown_fields
                    .push(crate::__private::buffa::encoding::decode_unknown_field(tag, buf, ctx)?);
            }
        }
        ::core::result::Result::Ok(())
    }
    fn clear(&mut self) {
        self.service.clear();
        self.__buffa_unknown_fields.clear();
    }
}
impl crate::__private::buffa::ExtensionSet for ListServiceResponse {
    const PROTO_FQN: &'static str = "grpc.reflection.v1.ListServiceResponse";
    fn unknown_fields(&self) -> &crate::__private::buffa::UnknownFields {
        &self.__buffa_unknown_fields
    }
    fn unknown_fields_mut(&mut self) -> &mut crate::__private::buffa::UnknownFields {
        &mut self.__buffa_unknown_fields
    }
}
impl crate::__private::buffa::json_helpers::ProtoElemJson for ListServiceResponse {
    fn serialize_proto_json<S: crate::__private::serde::Serializer>(
        v: &Self,
        s: S,
    ) -> ::core::result::Result<S::Ok, S::Error> {
        crate::__private::serde::Serialize::serialize(v, s)
    }
    fn deserialize_proto_json<'de, D: crate::__private::serde::Deserializer<'de>>(
        d: D,
    ) -> ::core::result::Result<Self, D::Error> {
        <Self as crate::__private::serde::Deserialize>::deserialize(d)
    }
}
#[doc(hidden)]
pub const __LIST_SERVICE_RESPONSE_JSON_ANY: crate::__private::buffa::type_registry::JsonAnyEntry = crate::__private::buffa::type_registry::JsonAnyEntry {
    type_url: "type.googleapis.com/grpc.reflection.v1.ListServiceResponse",
    to_json: crate::__private::buffa::type_registry::any_to_json::<ListServiceResponse>,
    from_json: crate::__private::buffa::type_registry::any_from_json::<ListServiceResponse>,
    is_wkt: false,
};
/// One service.
#[derive(Clone, PartialEq, Default)]
#[derive(crate::__private::serde::Serialize, crate::__private::serde::Deserialize)]
#[serde(crate = "crate::__private::serde")]
#[serde(default)]
pub struct ServiceResponse {
    /// Its full name.
    ///
    /// Field 1: `name`
    #[serde(
        rename = "name",
        with = "crate::__private::buffa::json_helpers::proto_string",
        skip_serializing_if = "crate::__private::buffa::json_helpers::skip_if::is_empty_str"
    )]
    pub name: crate::__private::buffa::alloc::string::String,
    #[serde(skip)]
    #[doc(hidden)]
    pub __buffa_unknown_fields: crate::__private::buffa::UnknownFields,
}
impl ::core::fmt::Debug for ServiceResponse {
    fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
        f.debug_struct("ServiceResponse").field("name", &self.name).finish()
    }
}
impl ServiceResponse {
    /// Protobuf type URL for this message, for use with `Any::pack` and
    /// `Any::unpack_if`.
    ///
    /// Format: `type.googleapis.com/<fully.qualified.TypeName>`
    pub const TYPE_URL: &'static str = "type.googleapis.com/grpc.reflection.v1.ServiceResponse";
}
crate::__private::buffa::impl_default_instance!(ServiceResponse);
impl crate::__private::buffa::MessageName for ServiceResponse {
    const PACKAGE: &'static str = "grpc.reflection.v1";
    const NAME: &'static str = "ServiceResponse";
    const FULL_NAME: &'static str = "grpc.reflection.v1.ServiceResponse";
    const TYPE_URL: &'static str = "type.googleapis.com/grpc.reflection.v1.ServiceResponse";
}
impl crate::__private::buffa::Message for ServiceResponse {
    /// Returns the total encoded size in bytes.
    ///
    /// Accumulates in `u64` (which cannot overflow for in-memory
    /// data) and saturates to `u32` at return, so a message whose
    /// encoded size exceeds the 2 GiB protobuf limit yields a value
    /// above [`::buffa::MAX_MESSAGE_BYTES`] that the encode entry
    /// points reject, never a silently wrapped size.
    #[allow(clippy::let_and_return)]
    fn compute_size(&self, _cache: &mut crate::__private::buffa::SizeCache) -> u32 {
        #[allow(unused_imports)]
        use crate::__private::buffa::Enumeration as _;
        let mut size = 0u64;
        if !self.name.is_empty() {
            size += 1u64 + crate::__private::buffa::types::string_encoded_len(&self.name) as u64;
        }
        size += self.__buffa_unknown_fields.encoded_len() as u64;
        crate::__private::buffa::saturate_size(size)
    }
    fn write_to(
        &self,
        _cache: &mut crate::__private::buffa::SizeCache,
        buf: &mut impl crate::__private::buffa::EncodeSink,
    ) {
        #[allow(unused_imports)]
        use crate::__private::buffa::Enumeration as _;
        if !self.name.is_empty() {
            crate::__private::buffa::types::put_string_field(1u32, &self.name, buf);
        }
        self.__buffa_unknown_fields.write_to(buf);
    }
    fn merge_field(
        &mut self,
        tag: crate::__private::buffa::encoding::Tag,
        buf: &mut impl crate::__private::buffa::bytes::Buf,
        ctx: crate::__private::buffa::DecodeContext<'_>,
    ) -> ::core::result::Result<(), crate::__private::buffa::DecodeError> {
        #[allow(unused_imports)]
        use crate::__private::buffa::bytes::Buf as _;
        #[allow(unused_imports)]
        use crate::__private::buffa::Enumeration as _;
        match tag.field_number() {
            1u32 => {
                crate::__private::buffa::encoding::check_wire_type(
                    tag,
                    crate::__private::buffa::encoding::WireType::LengthDelimited,
                )?;
                crate::__private::buffa::types::merge_string(&mut self.name, buf)?;
            }
            _ => {
                self.__buffa_unknown_fields
                    .push(crate::__private::buffa::encoding::decode_unknown_field(tag, buf, ctx)?);
            }
        }
        ::core::result::Result::Ok(())
    }
    fn clear(&mut self) {
        self.name.clear();
        self.__buffa_unknown_fields.clear();
    }
}
impl crate::__private::buffa::ExtensionSet for ServiceResponse {
    const PROTO_FQN: &'static str = "grpc.reflection.v1.ServiceResponse";
    fn unknown_fields(&self) -> &crate::__private::buffa::UnknownFields {
        &self.__buffa_unknown_fields
    }
    fn unknown_fields_mut(&mut self) -> &mut crate::__private::buffa::UnknownFields {
        &mut self.__buffa_unknown_fields
    }
}
impl crate::__private::buffa::json_helpers::ProtoElemJson for ServiceResponse {
    fn serialize_proto_json<S: crate::__private::serde::Serializer>(
        v: &Self,
        s: S,
    ) -> ::core::result::Result<S::Ok, S::Error> {
        crate::__private::serde::Serialize::serialize(v, s)
    }
    fn deserialize_proto_json<'de, D: crate::__private::serde::Deserializer<'de>>(
        d: D,
    ) -> ::core::result::Result<Self, D::Error> {
        <Self as crate::__private::serde::Deserialize>::deserialize(d)
    }
}
#[doc(hidden)]
pub const __SERVICE_RESPONSE_JSON_ANY: crate::__private::buffa::type_registry::JsonAnyEntry = crate::__private::buffa::type_registry::JsonAnyEntry {
    type_url: "type.googleapis.com/grpc.reflection.v1.ServiceResponse",
    to_json: crate::__private::buffa::type_registry::any_to_json::<ServiceResponse>,
    from_json: crate::__private::buffa::type_registry::any_from_json::<ServiceResponse>,
    is_wkt: false,
};
/// Why there is no answer.
#[derive(Clone, PartialEq, Default)]
#[derive(crate::__private::serde::Serialize, crate::__private::serde::Deserialize)]
#[serde(crate = "crate::__private::serde")]
#[serde(default)]
pub struct ErrorResponse {
    /// One of gRPC's status codes.
    ///
    /// Field 1: `error_code`
    #[serde(
        rename = "errorCode",
        alias = "error_code",
        with = "crate::__private::buffa::json_helpers::int32",
        skip_serializing_if = "crate::__private::buffa::json_helpers::skip_if::is_zero_i32"
    )]
    pub error_code: i32,
    /// Field 2: `error_message`
    #[serde(
        rename = "errorMessage",
        alias = "error_message",
        with = "crate::__private::buffa::json_helpers::proto_string",
        skip_serializing_if = "crate::__private::buffa::json_helpers::skip_if::is_empty_str"
    )]
    pub error_message: crate::__private::buffa::alloc::string::String,
    #[serde(skip)]
    #[doc(hidden)]
    pub __buffa_unknown_fields: crate::__private::buffa::UnknownFields,
}
impl ::core::fmt::Debug for ErrorResponse {
    fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
        f.debug_struct("ErrorResponse")
            .field("error_code", &self.error_code)
            .field("error_message", &self.error_message)
            .finish()
    }
}
impl ErrorResponse {
    /// Protobuf type URL for this message, for use with `Any::pack` and
    /// `Any::unpack_if`.
    ///
    /// Format: `type.googleapis.com/<fully.qualified.TypeName>`
    pub const TYPE_URL: &'static str = "type.googleapis.com/grpc.reflection.v1.ErrorResponse";
}
crate::__private::buffa::impl_default_instance!(ErrorResponse);
impl crate::__private::buffa::MessageName for ErrorResponse {
    const PACKAGE: &'static str = "grpc.reflection.v1";
    const NAME: &'static str = "ErrorResponse";
    const FULL_NAME: &'static str = "grpc.reflection.v1.ErrorResponse";
    const TYPE_URL: &'static str = "type.googleapis.com/grpc.reflection.v1.ErrorResponse";
}
impl crate::__private::buffa::Message for ErrorResponse {
    /// Returns the total encoded size in bytes.
    ///
    /// Accumulates in `u64` (which cannot overflow for in-memory
    /// data) and saturates to `u32` at return, so a message whose
    /// encoded size exceeds the 2 GiB protobuf limit yields a value
    /// above [`::buffa::MAX_MESSAGE_BYTES`] that the encode entry
    /// points reject, never a silently wrapped size.
    #[allow(clippy::let_and_return)]
    fn compute_size(&self, _cache: &mut crate::__private::buffa::SizeCache) -> u32 {
        #[allow(unused_imports)]
        use crate::__private::buffa::Enumeration as _;
        let mut size = 0u64;
        if self.error_code != 0i32 {
            size += 1u64 + crate::__private::buffa::types::int32_encoded_len(self.error_code) as u64;
        }
        if !self.error_message.is_empty() {
            size
                += 1u64 + crate::__private::buffa::types::string_encoded_len(&self.error_message) as u64;
        }
        size += self.__buffa_unknown_fields.encoded_len() as u64;
        crate::__private::buffa::saturate_size(size)
    }
    fn write_to(
        &self,
        _cache: &mut crate::__private::buffa::SizeCache,
        buf: &mut impl crate::__private::buffa::EncodeSink,
    ) {
        #[allow(unused_imports)]
        use crate::__private::buffa::Enumeration as _;
        if self.error_code != 0i32 {
            crate::__private::buffa::types::put_int32_field(1u32, self.error_code, buf);
        }
        if !self.error_message.is_empty() {
            crate::__private::buffa::types::put_string_field(2u32, &self.error_message, buf);
        }
        self.__buffa_unknown_fields.write_to(buf);
    }
    fn merge_field(
        &mut self,
        tag: crate::__private::buffa::encoding::Tag,
        buf: &mut impl crate::__private::buffa::bytes::Buf,
        ctx: crate::__private::buffa::DecodeContext<'_>,
    ) -> ::core::result::Result<(), crate::__private::buffa::DecodeError> {
        #[allow(unused_imports)]
        use crate::__private::buffa::bytes::Buf as _;
        #[allow(unused_imports)]
        use crate::__private::buffa::Enumeration as _;
        match tag.field_number() {
            1u32 => {
                crate::__private::buffa::encoding::check_wire_type(
                    tag,
                    crate::__private::buffa::encoding::WireType::Varint,
                )?;
                self.error_code = crate::__private::buffa::types::decode_int32(buf)?;
            }
            2u32 => {
                crate::__private::buffa::encoding::check_wire_type(
                    tag,
                    crate::__private::buffa::encoding::WireType::LengthDelimited,
                )?;
                crate::__private::buffa::types::merge_string(&mut self.error_message, buf)?;
            }
            _ => {
                self.__buffa_unknown_fields
                    .push(crate::__private::buffa::encoding::decode_unknown_field(tag, buf, ctx)?);
            }
        }
        ::core::result::Result::Ok(())
    }
    fn clear(&mut self) {
        self.error_code = 0i32;
        self.error_message.clear();
        self.__buffa_unknown_fields.clear();
    }
}
impl crate::__private::buffa::ExtensionSet for ErrorResponse {
    const PROTO_FQN: &'static str = "grpc.reflection.v1.ErrorResponse";
    fn unknown_fields(&self) -> &crate::__private::buffa::UnknownFields {
        &self.__buffa_unknown_fields
    }
    fn unknown_fields_mut(&mut self) -> &mut crate::__private::buffa::UnknownFields {
        &mut self.__buffa_unknown_fields
    }
}
impl crate::__private::buffa::json_helpers::ProtoElemJson for ErrorResponse {
    fn serialize_proto_json<S: crate::__private::serde::Serializer>(
        v: &Self,
        s: S,
    ) -> ::core::result::Result<S::Ok, S::Error> {
        crate::__private::serde::Serialize::serialize(v, s)
    }
    fn deserialize_proto_json<'de, D: crate::__private::serde::Deserializer<'de>>(
        d: D,
    ) -> ::core::result::Result<Self, D::Error> {
        <Self as crate::__private::serde::Deserialize>::deserialize(d)
    }
}
#[doc(hidden)]
pub const __ERROR_RESPONSE_JSON_ANY: crate::__private::buffa::type_registry::JsonAnyEntry = crate::__private::buffa::type_registry::JsonAnyEntry {
    type_url: "type.googleapis.com/grpc.reflection.v1.ErrorResponse",
    to_json: crate::__private::buffa::type_registry::any_to_json::<ErrorResponse>,
    from_json: crate::__private::buffa::type_registry::any_from_json::<ErrorResponse>,
    is_wkt: false,
};
pub mod __buffa {
    #[allow(unused_imports)]
    use super::*;
    pub mod oneof {
        #[allow(unused_imports)]
        use super::*;
pub mod server_reflection_request {
    #[allow(unused_imports)]
    use super::*;
    #[derive(Clone, PartialEq, Debug)]
    pub enum MessageRequest {
        FileByFilename(crate::__private::buffa::alloc::string::String),
        FileContainingSymbol(crate::__private::buffa::alloc::string::String),
        FileContainingExtension(
            crate::__private::buffa::alloc::boxed::Box<super::super::super::ExtensionRequest>,
        ),
        AllExtensionNumbersOfType(crate::__private::buffa::alloc::string::String),
        ListServices(crate::__private::buffa::alloc::string::String),
    }
    impl crate::__private::buffa::Oneof for MessageRequest {}
    impl ::core::convert::From<super::super::super::ExtensionRequest> for MessageRequest {
        fn from(v: super::super::super::ExtensionRequest) -> Self {
            Self::FileContainingExtension(crate::__private::buffa::alloc::boxed::Box::new(v))
        }
    }
    impl ::core::convert::From<super::super::super::ExtensionRequest>
    for ::core::option::Option<MessageRequest> {
        fn from(v: super::super::super::ExtensionRequest) -> Self {
            Self::Some(MessageRequest::from(v))
        }
    }
    impl crate::__private::serde::Serialize for MessageRequest {
        fn serialize<S: crate::__private::serde::Serializer>(
            &self,
            s: S,
        ) -> ::core::result::Result<S::Ok, S::Error> {
            use crate::__private::serde::ser::SerializeMap;
            let mut map = s.serialize_map(Some(1))?;
            match self {
                Self::FileByFilename(v) => {
                    map.serialize_entry("fileByFilename", v)?;
                }
                Self::FileContainingSymbol(v) => {
                    map.serialize_entry("fileContainingSymbol", v)?;
                }
                Self::FileContainingExtension(v) => {
                    map.serialize_entry("fileContainingExtension", &**v)?;
                }
                Self::AllExtensionNumbersOfType(v) => {
                    map.serialize_entry("allExtensionNumbersOfType", v)?;
                }
                Self::ListServices(v) => {
                    map.serialize_entry("listServices", v)?;
                }
            }
            map.end()
        }
    }
}
pub mod server_reflection_response {
    #[allow(unused_imports)]
    use super::*;
    #[derive(Clone, PartialEq, Debug)]
    pub enum MessageResponse {
        FileDescriptorResponse(
            crate::__private::buffa::alloc::boxed::Box<super::super::super::FileDescriptorResponse>,
        ),
        AllExtensionNumbersResponse(
            crate::__private::buffa::alloc::boxed::Box<super::super::super::ExtensionNumberResponse>,
        ),
        ListServicesResponse(
            crate::__private::buffa::alloc::boxed::Box<super::super::super::ListServiceResponse>,
        ),
        ErrorResponse(crate::__private::buffa::alloc::boxed::Box<super::super::super::ErrorResponse>),
    }
    impl crate::__private::buffa::Oneof for MessageResponse {}
    impl ::core::convert::From<super::super::super::FileDescriptorResponse> for MessageResponse {
        fn from(v: super::super::super::FileDescriptorResponse) -> Self {
            Self::FileDescriptorResponse(crate::__private::buffa::alloc::boxed::Box::new(v))
        }
    }
    impl ::core::convert::From<super::super::super::FileDescriptorResponse>
    for ::core::option::Option<MessageResponse> {
        fn from(v: super::super::super::FileDescriptorResponse) -> Self {
            Self::Some(MessageResponse::from(v))
        }
    }
    impl ::core::convert::From<super::super::super::ExtensionNumberResponse> for MessageResponse {
        fn from(v: super::super::super::ExtensionNumberResponse) -> Self {
            Self::AllExtensionNumbersResponse(crate::__private::buffa::alloc::boxed::Box::new(v))
        }
    }
    impl ::core::convert::From<super::super::super::ExtensionNumberResponse>
    for ::core::option::Option<MessageResponse> {
        fn from(v: super::super::super::ExtensionNumberResponse) -> Self {
            Self::Some(MessageResponse::from(v))
        }
    }
    impl ::core::convert::From<super::super::super::ListServiceResponse> for MessageResponse {
        fn from(v: super::super::super::ListServiceResponse) -> Self {
            Self::ListServicesResponse(crate::__private::buffa::alloc::boxed::Box::new(v))
        }
    }
    impl ::core::convert::From<super::super::super::ListServiceResponse>
    for ::core::option::Option<MessageResponse> {
        fn from(v: super::super::super::ListServiceResponse) -> Self {
            Self::Some(MessageResponse::from(v))
        }
    }
    impl ::core::convert::From<super::super::super::ErrorResponse> for MessageResponse {
        fn from(v: super::super::super::ErrorResponse) -> Self {
            Self::ErrorResponse(crate::__private::buffa::alloc::boxed::Box::new(v))
        }
    }
    impl ::core::convert::From<super::super::super::ErrorResponse>
    for ::core::option::Option<MessageResponse> {
        fn from(v: super::super::super::ErrorResponse) -> Self {
            Self::Some(MessageResponse::from(v))
        }
    }
    impl crate::__private::serde::Serialize for MessageResponse {
        fn serialize<S: crate::__private::serde::Serializer>(
            &self,
            s: S,
        ) -> ::core::result::Result<S::Ok, S::Error> {
            use crate::__private::serde::ser::SerializeMap;
            let mut map = s.serialize_map(Some(1))?;
            match self {
                Self::FileDescriptorResponse(v) => {
                    map.serialize_entry("fileDescriptorResponse", &**v)?;
                }
                Self::AllExtensionNumbersResponse(v) => {
                    map.serialize_entry("allExtensionNumbersResponse", &**v)?;
                }
                Self::ListServicesResponse(v) => {
                    map.serialize_entry("listServicesResponse", &**v)?;
                }
                Self::ErrorResponse(v) => {
                    map.serialize_entry("errorResponse", &**v)?;
                }
            }
            map.end()
        }
    }
}
    }
    /// Register this package's `Any` type entries and extension entries.
    pub fn register_types(
        reg: &mut crate::__private::buffa::type_registry::TypeRegistry,
    ) {
        reg.register_json_any(super::__SERVER_REFLECTION_REQUEST_JSON_ANY);
        reg.register_json_any(super::__EXTENSION_REQUEST_JSON_ANY);
        reg.register_json_any(super::__SERVER_REFLECTION_RESPONSE_JSON_ANY);
        reg.register_json_any(super::__FILE_DESCRIPTOR_RESPONSE_JSON_ANY);
        reg.register_json_any(super::__EXTENSION_NUMBER_RESPONSE_JSON_ANY);
        reg.register_json_any(super::__LIST_SERVICE_RESPONSE_JSON_ANY);
        reg.register_json_any(super::__SERVICE_RESPONSE_JSON_ANY);
        reg.register_json_any(super::__ERROR_RESPONSE_JSON_ANY);
    }
}
#[doc(inline)]
pub use self::__buffa::register_types;
