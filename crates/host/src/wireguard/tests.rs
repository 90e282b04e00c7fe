use super::*;
use crate::sim::SimHost;
use std::os::unix::fs::PermissionsExt;

fn host() -> (tempfile::TempDir, SimHost) {
    let directory = tempfile::tempdir().unwrap();
    let host = SimHost::open(directory.path()).unwrap();
    (directory, host)
}

fn shop() -> Name {
    Name::new("shop").unwrap()
}

/// RFC 7748 section 6.1.
#[test]
fn public_keys_are_those_of_the_standard() {
    let private = [
        0x77, 0x07, 0x6d, 0x0a, 0x73, 0x18, 0xa5, 0x7d, 0x3c, 0x16, 0xc1, 0x72, 0x51, 0xb2, 0x66,
        0x45, 0xdf, 0x4c, 0x2f, 0x87, 0xeb, 0xc0, 0x99, 0x2a, 0xb1, 0x77, 0xfb, 0xa5, 0x1d, 0xb9,
        0x2c, 0x2a,
    ];
    assert_eq!(
        public(private),
        "hSDwCYkwp1R0i33ctD73Wg2/Og0mOBr066SpjqqbTmo="
    );
}

#[test]
fn a_key_is_made_once_and_only_networkd_reads_it() {
    let (_directory, host) = host();
    assert_eq!(read(host.root(), &shop(), "office").unwrap(), None);
    let key = public_key(&host, &shop(), "office").unwrap();
    assert_eq!(public_key(&host, &shop(), "office").unwrap(), key);
    assert_ne!(public_key(&host, &shop(), "home").unwrap(), key);
    let file = key_file(host.root(), &shop(), "office");
    let mode = fs::metadata(&file).unwrap().permissions().mode();
    assert_eq!(mode & 0o7777, 0o640);
    let text = fs::read_to_string(&file).unwrap();
    assert_ne!(text.trim_end(), key);

    let other = make(&host, &shop(), "office").unwrap();
    assert_ne!(other, key);
    assert_eq!(public_key(&host, &shop(), "office").unwrap(), other);
}

#[test]
fn what_is_no_key_is_said_and_not_told() {
    let (_directory, host) = host();
    let file = key_file(host.root(), &shop(), "office");
    atomic::write(&file, b"secret words\n", MODE).unwrap();
    let error = public_key(&host, &shop(), "office").unwrap_err();
    let error = error.to_string();
    assert!(error.contains("is no private key"), "{error}");
    assert!(!error.contains("secret"), "{error}");
}

#[test]
fn preshared_keys_are_placed_while_they_are_wanted() {
    let (_directory, host) = host();
    let key = Base64::encode_string(&[7; 32]);
    // The simulated host takes base64 for a ciphertext.
    let ciphertext = Base64::encode_string(format!("{key}\n").as_bytes());
    let file = "shop.office.laptop.0a1b.psk";
    let name = "wireguard.shop.office.laptop";
    place_secret(&host, file, name, ciphertext.as_bytes()).unwrap();
    let path = host.root().wireguard_secrets().join(file);
    assert_eq!(fs::read_to_string(&path).unwrap(), format!("{key}\n"));
    assert_eq!(
        files(host.root(), &shop()).unwrap(),
        std::slice::from_ref(&path)
    );
    // Another tenant whose name begins alike keeps its own.
    remove_secrets(host.root(), &Name::new("sho").unwrap(), &[]).unwrap();
    remove_secrets(host.root(), &shop(), &[file.to_owned()]).unwrap();
    assert!(path.is_file());
    remove_secrets(host.root(), &shop(), &[]).unwrap();
    assert!(!path.exists());

    let ciphertext = Base64::encode_string(b"no key at all");
    let error = place_secret(&host, file, name, ciphertext.as_bytes()).unwrap_err();
    let error = error.to_string();
    assert!(error.contains(name), "{error}");
    assert!(!error.contains("at all"), "{error}");
}
