//! Certificates, made anew for each test.

use std::sync::atomic::{AtomicU64, Ordering};

use rcgen::string::Ia5String;
use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, DistinguishedName,
    DnType, IsCa, Issuer, KeyIdMethod, KeyPair, RevokedCertParams, SanType, SerialNumber,
    date_time_ymd,
};
use rpc_runtime::tls::{Certificate, ClientTls, Roots, ServerTls};

/// Who vouches for others.
pub(super) struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pem: String,
}

/// A certificate and its key, in PEM.
pub(super) struct Signed {
    pub(super) chain: String,
    pub(super) key: String,
}

impl Signed {
    pub(super) fn certificate(&self) -> Certificate {
        Certificate::from_pem(&self.chain, &self.key)
    }
}

impl Authority {
    pub(super) fn new() -> Self {
        let mut params = CertificateParams::new([]).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        params.distinguished_name = common_name(&format!("authority {number} of the tests"));
        let key = KeyPair::generate().unwrap();
        let pem = params.self_signed(&key).unwrap().pem();
        let issuer = Issuer::new(params, key);
        Self { issuer, pem }
    }

    pub(super) fn pem(&self) -> &str {
        &self.pem
    }

    pub(super) fn roots(&self) -> Roots {
        Roots::from_pem(&self.pem)
    }

    /// Signs what `change` makes of a certificate without any name.
    pub(super) fn sign(&self, change: impl FnOnce(&mut CertificateParams)) -> Signed {
        let mut params = CertificateParams::new([]).unwrap();
        params.distinguished_name = DistinguishedName::new();
        change(&mut params);
        let key = KeyPair::generate().unwrap();
        let chain = params.signed_by(&key, &self.issuer).unwrap().pem();
        let key = key.serialize_pem();
        Signed { chain, key }
    }

    /// Lists certificates as revoked, by their serial numbers, in PEM.
    pub(super) fn revoke(&self, serials: &[u64]) -> String {
        let revoked = serials.iter().map(|serial| RevokedCertParams {
            serial_number: SerialNumber::from(*serial),
            revocation_time: date_time_ymd(2024, 1, 1),
            reason_code: None,
            invalidity_date: None,
        });
        let params = CertificateRevocationListParams {
            this_update: date_time_ymd(2024, 1, 1),
            next_update: date_time_ymd(4000, 1, 1),
            crl_number: SerialNumber::from(1),
            issuing_distribution_point: None,
            revoked_certs: revoked.collect(),
            key_identifier_method: KeyIdMethod::Sha256,
        };
        params.signed_by(&self.issuer).unwrap().pem().unwrap()
    }

    /// Signs for a server on this machine.
    pub(super) fn server(&self) -> Signed {
        self.sign(|params| params.subject_alt_names = this_machine())
    }

    /// How a server that this authority vouches for speaks TLS.
    pub(super) fn server_tls(&self) -> ServerTls {
        ServerTls::new(self.server().certificate())
    }

    /// How a client that trusts nobody else speaks TLS.
    pub(super) fn client_tls(&self) -> ClientTls {
        ClientTls::new().roots(self.roots())
    }
}

pub(super) fn this_machine() -> Vec<SanType> {
    let address = std::net::Ipv4Addr::LOCALHOST.into();
    vec![dns("localhost"), SanType::IpAddress(address)]
}

pub(super) fn dns(name: &str) -> SanType {
    SanType::DnsName(Ia5String::try_from(name).unwrap())
}

pub(super) fn uri(name: &str) -> SanType {
    SanType::URI(Ia5String::try_from(name).unwrap())
}

pub(super) fn common_name(name: &str) -> DistinguishedName {
    let mut distinguished = DistinguishedName::new();
    distinguished.push(DnType::OrganizationName, "tests");
    distinguished.push(DnType::CommonName, name);
    distinguished
}

/// Makes a certificate one of long ago.
pub(super) fn expired(params: &mut CertificateParams) {
    params.not_before = date_time_ymd(2020, 1, 1);
    params.not_after = date_time_ymd(2020, 2, 1);
}

/// Makes a certificate one of the far future.
pub(super) fn not_yet_valid(params: &mut CertificateParams) {
    params.not_before = date_time_ymd(4000, 1, 1);
}
