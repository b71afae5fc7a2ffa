//! What `tonic-prost-build` writes.

#![allow(unreachable_pub, unused_qualifications, reason = "generated")]

pub mod p0 {
    tonic::include_proto!("large.p0");
}
pub mod p1 {
    tonic::include_proto!("large.p1");
}
pub mod p2 {
    tonic::include_proto!("large.p2");
}
pub mod p3 {
    tonic::include_proto!("large.p3");
}
pub mod p4 {
    tonic::include_proto!("large.p4");
}
pub mod p5 {
    tonic::include_proto!("large.p5");
}
pub mod p6 {
    tonic::include_proto!("large.p6");
}
pub mod p7 {
    tonic::include_proto!("large.p7");
}
pub mod p8 {
    tonic::include_proto!("large.p8");
}
pub mod p9 {
    tonic::include_proto!("large.p9");
}
