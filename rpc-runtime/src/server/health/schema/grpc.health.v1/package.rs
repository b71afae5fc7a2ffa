// Written by rpc-build from grpc/health/v1/health.proto. Do not edit.

#[path = "services.rs"]
mod __services;
pub use self::__services::*;
/// The descriptors of this package and of what it imports: a serialized `google.protobuf.FileDescriptorSet`.
pub const FILE_DESCRIPTOR_SET: &[u8] = include_bytes!("descriptors.binpb");

/// Which service is asked about; the empty name is the server as a whole.
#[derive(Clone, PartialEq, Default)]
#[derive(crate::__private::serde::Serialize, crate::__private::serde::Deserialize)]
#[serde(crate = "crate::__private::serde")]
#[serde(default)]
pub struct HealthCheckRequest {
    /// Field 1: `service`
    #[serde(
        rename = "service",
        with = "crate::__private::buffa::json_helpers::proto_string",
        skip_serializing_if = "crate::__private::buffa::json_helpers::skip_if::is_empty_str"
    )]
    pub service: crate::__private::buffa::alloc::string::String,
    #[serde(skip)]
    #[doc(hidden)]
    pub __buffa_unknown_fields: crate::__private::buffa::UnknownFields,
}
impl ::core::fmt::Debug for HealthCheckRequest {
    fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
        f.debug_struct("HealthCheckRequest").field("service", &self.service).finish()
    }
}
impl HealthCheckRequest {
    /// Protobuf type URL for this message, for use with `Any::pack` and
    /// `Any::unpack_if`.
    ///
    /// Format: `type.googleapis.com/<fully.qualified.TypeName>`
    pub const TYPE_URL: &'static str = "type.googleapis.com/grpc.health.v1.HealthCheckRequest";
}
crate::__private::buffa::impl_default_instance!(HealthCheckRequest);
impl crate::__private::buffa::MessageName for HealthCheckRequest {
    const PACKAGE: &'static str = "grpc.health.v1";
    const NAME: &'static str = "HealthCheckRequest";
    const FULL_NAME: &'static str = "grpc.health.v1.HealthCheckRequest";
    const TYPE_URL: &'static str = "type.googleapis.com/grpc.health.v1.HealthCheckRequest";
}
impl crate::__private::buffa::Message for HealthCheckRequest {
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
        if !self.service.is_empty() {
            size += 1u64 + crate::__private::buffa::types::string_encoded_len(&self.service) as u64;
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
        if !self.service.is_empty() {
            crate::__private::buffa::types::put_string_field(1u32, &self.service, buf);
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
                crate::__private::buffa::types::merge_string(&mut self.service, buf)?;
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
impl crate::__private::buffa::ExtensionSet for HealthCheckRequest {
    const PROTO_FQN: &'static str = "grpc.health.v1.HealthCheckRequest";
    fn unknown_fields(&self) -> &crate::__private::buffa::UnknownFields {
        &self.__buffa_unknown_fields
    }
    fn unknown_fields_mut(&mut self) -> &mut crate::__private::buffa::UnknownFields {
        &mut self.__buffa_unknown_fields
    }
}
impl crate::__private::buffa::json_helpers::ProtoElemJson for HealthCheckRequest {
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
pub const __HEALTH_CHECK_REQUEST_JSON_ANY: crate::__private::buffa::type_registry::JsonAnyEntry = crate::__private::buffa::type_registry::JsonAnyEntry {
    type_url: "type.googleapis.com/grpc.health.v1.HealthCheckRequest",
    to_json: crate::__private::buffa::type_registry::any_to_json::<HealthCheckRequest>,
    from_json: crate::__private::buffa::type_registry::any_from_json::<HealthCheckRequest>,
    is_wkt: false,
};
/// How a service is.
#[derive(Clone, PartialEq, Default)]
#[derive(crate::__private::serde::Serialize, crate::__private::serde::Deserialize)]
#[serde(crate = "crate::__private::serde")]
#[serde(default)]
pub struct HealthCheckResponse {
    /// Field 1: `status`
    #[serde(
        rename = "status",
        with = "crate::__private::buffa::json_helpers::proto_enum",
        skip_serializing_if = "crate::__private::buffa::json_helpers::skip_if::is_default_enum_value"
    )]
    pub status: crate::__private::buffa::EnumValue<health_check_response::ServingStatus>,
    #[serde(skip)]
    #[doc(hidden)]
    pub __buffa_unknown_fields: crate::__private::buffa::UnknownFields,
}
impl ::core::fmt::Debug for HealthCheckResponse {
    fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
        f.debug_struct("HealthCheckResponse").field("status", &self.status).finish()
    }
}
impl HealthCheckResponse {
    /// Protobuf type URL for this message, for use with `Any::pack` and
    /// `Any::unpack_if`.
    ///
    /// Format: `type.googleapis.com/<fully.qualified.TypeName>`
    pub const TYPE_URL: &'static str = "type.googleapis.com/grpc.health.v1.HealthCheckResponse";
}
crate::__private::buffa::impl_default_instance!(HealthCheckResponse);
impl crate::__private::buffa::MessageName for HealthCheckResponse {
    const PACKAGE: &'static str = "grpc.health.v1";
    const NAME: &'static str = "HealthCheckResponse";
    const FULL_NAME: &'static str = "grpc.health.v1.HealthCheckResponse";
    const TYPE_URL: &'static str = "type.googleapis.com/grpc.health.v1.HealthCheckResponse";
}
impl crate::__private::buffa::Message for HealthCheckResponse {
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
        {
            let val = self.status.to_i32();
            if val != 0 {
                size += 1u64 + crate::__private::buffa::types::int32_encoded_len(val) as u64;
            }
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
        {
            let val = self.status.to_i32();
            if val != 0 {
                crate::__private::buffa::types::put_int32_field(1u32, val, buf);
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
                    crate::__private::buffa::encoding::WireType::Varint,
                )?;
                self.status = crate::__private::buffa::EnumValue::from(
                    crate::__private::buffa::types::decode_int32(buf)?,
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
        self.status = crate::__private::buffa::EnumValue::from(0);
        self.__buffa_unknown_fields.clear();
    }
}
impl crate::__private::buffa::ExtensionSet for HealthCheckResponse {
    const PROTO_FQN: &'static str = "grpc.health.v1.HealthCheckResponse";
    fn unknown_fields(&self) -> &crate::__private::buffa::UnknownFields {
        &self.__buffa_unknown_fields
    }
    fn unknown_fields_mut(&mut self) -> &mut crate::__private::buffa::UnknownFields {
        &mut self.__buffa_unknown_fields
    }
}
impl crate::__private::buffa::json_helpers::ProtoElemJson for HealthCheckResponse {
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
pub const __HEALTH_CHECK_RESPONSE_JSON_ANY: crate::__private::buffa::type_registry::JsonAnyEntry = crate::__private::buffa::type_registry::JsonAnyEntry {
    type_url: "type.googleapis.com/grpc.health.v1.HealthCheckResponse",
    to_json: crate::__private::buffa::type_registry::any_to_json::<HealthCheckResponse>,
    from_json: crate::__private::buffa::type_registry::any_from_json::<HealthCheckResponse>,
    is_wkt: false,
};
pub mod health_check_response {
    #[allow(unused_imports)]
    use super::*;
    /// How a service can be.
    #[allow(non_camel_case_types)]
    #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
    #[repr(i32)]
    pub enum ServingStatus {
        UNKNOWN = 0i32,
        SERVING = 1i32,
        NOT_SERVING = 2i32,
        /// Only `Watch` answers so.
        SERVICE_UNKNOWN = 3i32,
    }
    impl ServingStatus {
        ///Idiomatic alias for [`Self::UNKNOWN`]; `Debug` prints the variant name.
        #[allow(non_upper_case_globals)]
        pub const Unknown: Self = Self::UNKNOWN;
        ///Idiomatic alias for [`Self::SERVING`]; `Debug` prints the variant name.
        #[allow(non_upper_case_globals)]
        pub const Serving: Self = Self::SERVING;
        ///Idiomatic alias for [`Self::NOT_SERVING`]; `Debug` prints the variant name.
        #[allow(non_upper_case_globals)]
        pub const NotServing: Self = Self::NOT_SERVING;
        ///Idiomatic alias for [`Self::SERVICE_UNKNOWN`]; `Debug` prints the variant name.
        #[allow(non_upper_case_globals)]
        pub const ServiceUnknown: Self = Self::SERVICE_UNKNOWN;
    }
    impl ::core::default::Default for ServingStatus {
        fn default() -> Self {
            Self::UNKNOWN
        }
    }
    impl crate::__private::serde::Serialize for ServingStatus {
        fn serialize<S: crate::__private::serde::Serializer>(
            &self,
            s: S,
        ) -> ::core::result::Result<S::Ok, S::Error> {
            s.serialize_str(crate::__private::buffa::Enumeration::proto_name(self))
        }
    }
    impl<'de> crate::__private::serde::Deserialize<'de> for ServingStatus {
        fn deserialize<D: crate::__private::serde::Deserializer<'de>>(
            d: D,
        ) -> ::core::result::Result<Self, D::Error> {
            struct _V;
            impl crate::__private::serde::de::Visitor<'_> for _V {
                type Value = ServingStatus;
                fn expecting(
                    &self,
                    f: &mut ::core::fmt::Formatter<'_>,
                ) -> ::core::fmt::Result {
                    f.write_str(
                        concat!(
                            "a string, integer, or null for ", stringify!(ServingStatus)
                        ),
                    )
                }
                fn visit_str<E: crate::__private::serde::de::Error>(
                    self,
                    v: &str,
                ) -> ::core::result::Result<ServingStatus, E> {
                    <ServingStatus as crate::__private::buffa::Enumeration>::from_proto_name(v)
                        .ok_or_else(|| { crate::__private::serde::de::Error::unknown_variant(v, &[]) })
                }
                fn visit_i64<E: crate::__private::serde::de::Error>(
                    self,
                    v: i64,
                ) -> ::core::result::Result<ServingStatus, E> {
                    let v32 = i32::try_from(v)
                        .map_err(|_| {
                            crate::__private::serde::de::Error::custom(
                                crate::__private::buffa::alloc::format!("enum value {v} out of i32 range"),
                            )
                        })?;
                    <ServingStatus as crate::__private::buffa::Enumeration>::from_i32(v32)
                        .ok_or_else(|| {
                            crate::__private::serde::de::Error::custom(
                                crate::__private::buffa::alloc::format!("unknown enum value {v32}"),
                            )
                        })
                }
                fn visit_u64<E: crate::__private::serde::de::Error>(
                    self,
                    v: u64,
                ) -> ::core::result::Result<ServingStatus, E> {
                    let v32 = i32::try_from(v)
                        .map_err(|_| {
                            crate::__private::serde::de::Error::custom(
                                crate::__private::buffa::alloc::format!("enum value {v} out of i32 range"),
                            )
                        })?;
                    <ServingStatus as crate::__private::buffa::Enumeration>::from_i32(v32)
                        .ok_or_else(|| {
                            crate::__private::serde::de::Error::custom(
                                crate::__private::buffa::alloc::format!("unknown enum value {v32}"),
                            )
                        })
                }
                fn visit_unit<E: crate::__private::serde::de::Error>(
                    self,
                ) -> ::core::result::Result<ServingStatus, E> {
                    ::core::result::Result::Ok(::core::default::Default::default())
                }
            }
            d.deserialize_any(_V)
        }
    }
    impl crate::__private::buffa::json_helpers::ProtoElemJson for ServingStatus {
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
    impl crate::__private::buffa::Enumeration for ServingStatus {
        fn from_i32(value: i32) -> ::core::option::Option<Self> {
            match value {
                0i32 => ::core::option::Option::Some(Self::UNKNOWN),
                1i32 => ::core::option::Option::Some(Self::SERVING),
                2i32 => ::core::option::Option::Some(Self::NOT_SERVING),
                3i32 => ::core::option::Option::Some(Self::SERVICE_UNKNOWN),
                _ => ::core::option::Option::None,
            }
        }
        fn to_i32(&self) -> i32 {
            *self as i32
        }
        fn proto_name(&self) -> &'static str {
            match self {
                Self::UNKNOWN => "UNKNOWN",
                Self::SERVING => "SERVING",
                Self::NOT_SERVING => "NOT_SERVING",
                Self::SERVICE_UNKNOWN => "SERVICE_UNKNOWN",
            }
        }
        fn from_proto_name(name: &str) -> ::core::option::Option<Self> {
            match name {
                "UNKNOWN" => ::core::option::Option::Some(Self::UNKNOWN),
                "SERVING" => ::core::option::Option::Some(Self::SERVING),
                "NOT_SERVING" => ::core::option::Option::Some(Self::NOT_SERVING),
                "SERVICE_UNKNOWN" => ::core::option::Option::Some(Self::SERVICE_UNKNOWN),
                _ => ::core::option::Option::None,
            }
        }
        fn values() -> &'static [Self] {
            &[Self::UNKNOWN, Self::SERVING, Self::NOT_SERVING, Self::SERVICE_UNKNOWN]
        }
    }
}
/// Asks for everything.
#[derive(Clone, PartialEq, Default)]
#[derive(crate::__private::serde::Serialize, crate::__private::serde::Deserialize)]
#[serde(crate = "crate::__private::serde")]
#[serde(default)]
pub struct HealthListRequest {
    #[serde(skip)]
    #[doc(hidden)]
    pub __buffa_unknown_fields: crate::__private::buffa::UnknownFields,
}
impl ::core::fmt::Debug for HealthListRequest {
    fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
        f.debug_struct("HealthListRequest").finish()
    }
}
impl HealthListRequest {
    /// Protobuf type URL for this message, for use with `Any::pack` and
    /// `Any::unpack_if`.
    ///
    /// Format: `type.googleapis.com/<fully.qualified.TypeName>`
    pub const TYPE_URL: &'static str = "type.googleapis.com/grpc.health.v1.HealthListRequest";
}
crate::__private::buffa::impl_default_instance!(HealthListRequest);
impl crate::__private::buffa::MessageName for HealthListRequest {
    const PACKAGE: &'static str = "grpc.health.v1";
    const NAME: &'static str = "HealthListRequest";
    const FULL_NAME: &'static str = "grpc.health.v1.HealthListRequest";
    const TYPE_URL: &'static str = "type.googleapis.com/grpc.health.v1.HealthListRequest";
}
impl crate::__private::buffa::Message for HealthListRequest {
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
            _ => {
                self.__buffa_unknown_fields
                    .push(crate::__private::buffa::encoding::decode_unknown_field(tag, buf, ctx)?);
            }
        }
        ::core::result::Result::Ok(())
    }
    fn clear(&mut self) {
        self.__buffa_unknown_fields.clear();
    }
}
impl crate::__private::buffa::ExtensionSet for HealthListRequest {
    const PROTO_FQN: &'static str = "grpc.health.v1.HealthListRequest";
    fn unknown_fields(&self) -> &crate::__private::buffa::UnknownFields {
        &self.__buffa_unknown_fields
    }
    fn unknown_fields_mut(&mut self) -> &mut crate::__private::buffa::UnknownFields {
        &mut self.__buffa_unknown_fields
    }
}
impl crate::__private::buffa::json_helpers::ProtoElemJson for HealthListRequest {
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
pub const __HEALTH_LIST_REQUEST_JSON_ANY: crate::__private::buffa::type_registry::JsonAnyEntry = crate::__private::buffa::type_registry::JsonAnyEntry {
    type_url: "type.googleapis.com/grpc.health.v1.HealthListRequest",
    to_json: crate::__private::buffa::type_registry::any_to_json::<HealthListRequest>,
    from_json: crate::__private::buffa::type_registry::any_from_json::<HealthListRequest>,
    is_wkt: false,
};
/// How every service is, by name.
#[derive(Clone, PartialEq, Default)]
#[derive(crate::__private::serde::Serialize, crate::__private::serde::Deserialize)]
#[serde(crate = "crate::__private::serde")]
#[serde(default)]
pub struct HealthListResponse {
    /// Field 1: `statuses`
    #[serde(
        rename = "statuses",
        skip_serializing_if = "crate::__private::buffa::__private::HashMap::is_empty",
        deserialize_with = "crate::__private::buffa::json_helpers::null_as_default"
    )]
    pub statuses: crate::__private::buffa::__private::HashMap<
        crate::__private::buffa::alloc::string::String,
        HealthCheckResponse,
    >,
    #[serde(skip)]
    #[doc(hidden)]
    pub __buffa_unknown_fields: crate::__private::buffa::UnknownFields,
}
impl ::core::fmt::Debug for HealthListResponse {
    fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
        f.debug_struct("HealthListResponse").field("statuses", &self.statuses).finish()
    }
}
impl HealthListResponse {
    /// Protobuf type URL for this message, for use with `Any::pack` and
    /// `Any::unpack_if`.
    ///
    /// Format: `type.googleapis.com/<fully.qualified.TypeName>`
    pub const TYPE_URL: &'static str = "type.googleapis.com/grpc.health.v1.HealthListResponse";
}
crate::__private::buffa::impl_default_instance!(HealthListResponse);
impl crate::__private::buffa::MessageName for HealthListResponse {
    const PACKAGE: &'static str = "grpc.health.v1";
    const NAME: &'static str = "HealthListResponse";
    const FULL_NAME: &'static str = "grpc.health.v1.HealthListResponse";
    const TYPE_URL: &'static str = "type.googleapis.com/grpc.health.v1.HealthListResponse";
}
impl crate::__private::buffa::Message for HealthListResponse {
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
        size
            += crate::__private::buffa::map_codec::message_field_len::<
                crate::__private::buffa::map_codec::Str,
                _,
                _,
            >(&self.statuses, 1u64, __cache);
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
        crate::__private::buffa::map_codec::write_message_field::<
            crate::__private::buffa::map_codec::Str,
            _,
            _,
        >(&self.statuses, 1u32, __cache, buf);
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
                crate::__private::buffa::map_codec::merge_entry::<
                    crate::__private::buffa::map_codec::Str,
                    crate::__private::buffa::map_codec::Msg<_>,
                    _,
                >(&mut self.statuses, buf, ctx)?;
            }
            _ => {
                self.__buffa_unknown_fields
                    .push(crate::__private::buffa::encoding::decode_unknown_field(tag, buf, ctx)?);
            }
        }
        ::core::result::Result::Ok(())
    }
    fn clear(&mut self) {
        self.statuses.clear();
        self.__buffa_unknown_fields.clear();
    }
}
impl crate::__private::buffa::ExtensionSet for HealthListResponse {
    const PROTO_FQN: &'static str = "grpc.health.v1.HealthListResponse";
    fn unknown_fields(&self) -> &crate::__private::buffa::UnknownFields {
        &self.__buffa_unknown_fields
    }
    fn unknown_fields_mut(&mut self) -> &mut crate::__private::buffa::UnknownFields {
        &mut self.__buffa_unknown_fields
    }
}
impl crate::__private::buffa::json_helpers::ProtoElemJson for HealthListResponse {
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
pub const __HEALTH_LIST_RESPONSE_JSON_ANY: crate::__private::buffa::type_registry::JsonAnyEntry = crate::__private::buffa::type_registry::JsonAnyEntry {
    type_url: "type.googleapis.com/grpc.health.v1.HealthListResponse",
    to_json: crate::__private::buffa::type_registry::any_to_json::<HealthListResponse>,
    from_json: crate::__private::buffa::type_registry::any_from_json::<HealthListResponse>,
    is_wkt: false,
};
pub mod __buffa {
    #[allow(unused_imports)]
    use super::*;
    /// Register this package's `Any` type entries and extension entries.
    pub fn register_types(
        reg: &mut crate::__private::buffa::type_registry::TypeRegistry,
    ) {
        reg.register_json_any(super::__HEALTH_CHECK_REQUEST_JSON_ANY);
        reg.register_json_any(super::__HEALTH_CHECK_RESPONSE_JSON_ANY);
        reg.register_json_any(super::__HEALTH_LIST_REQUEST_JSON_ANY);
        reg.register_json_any(super::__HEALTH_LIST_RESPONSE_JSON_ANY);
    }
}
#[doc(inline)]
pub use self::__buffa::register_types;
