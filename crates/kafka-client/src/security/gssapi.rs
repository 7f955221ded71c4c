//! The system's Kerberos library as far as it is used: loaded at the first use, called through its C interface
//! (RFC 2744), and given a safe face. One of two files with unsafe code.
//!
//! Invariants
//! - Everything the library gives is released exactly once, by the type that holds it.
//! - Texts of errors are asked for on the thread of the call, because the library keeps them by thread.
//! - Calls block; `kerberos.rs` makes them on threads that may.
//! - No call is made while the process runs `exit`: the library takes itself down there and aborts what comes later, a
//!   release too. So a program that cannot wait for all its threads ends without destructors (`_exit`).
#![expect(
    unsafe_code,
    reason = "a C library is loaded and called; nothing in the ecosystem does that without its headers at build time"
)]

use std::ffi::{CString, c_char, c_int, c_void};
use std::ptr;
use std::sync::{Arc, OnceLock};

use libloading::Library;

/// Its name is that of its interface, which has been stable for decades.
const LIBRARY: &str = "libgssapi_krb5.so.2";

const INITIATE: c_int = 1;
const CONTINUE_NEEDED: u32 = 1;
/// Errors are in the upper half of a status, information in the lower.
const ERRORS: u32 = 0xffff_0000;
const MUTUAL: u32 = 2;
const INTEGRITY: u32 = 32;
const INDEFINITE: u32 = u32::MAX;
const CODE_OF_GSS: c_int = 1;
const CODE_OF_MECHANISM: c_int = 2;
/// Longest message that is taken from a peer or given to it, in bytes.
const LONGEST: usize = 1024 * 1024;

/// 1.2.840.113554.1.2.2: Kerberos.
static KERBEROS: [u8; 9] = [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x12, 0x01, 0x02, 0x02];
/// 1.2.840.113554.1.2.1.4: a service on a host.
static HOST_SERVICE: [u8; 10] = [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x12, 0x01, 0x02, 0x01, 0x04];
/// 1.2.840.113554.1.2.2.1: a principal.
static PRINCIPAL: [u8; 10] = [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x12, 0x01, 0x02, 0x02, 0x01];

#[repr(C)]
struct Buffer {
    length: usize,
    value: *mut c_void,
}

#[repr(C)]
struct Oid {
    length: u32,
    elements: *const c_void,
}

#[repr(C)]
struct OidSet {
    count: usize,
    elements: *const Oid,
}

#[repr(C)]
struct KeyValue {
    key: *const c_char,
    value: *const c_char,
}

#[repr(C)]
struct KeyValues {
    count: u32,
    elements: *const KeyValue,
}

/// A name, credential or context of the library.
type Handle = *mut c_void;

type ImportName = unsafe extern "C" fn(*mut u32, *const Buffer, *const Oid, *mut Handle) -> u32;
type AcquireCredFrom = unsafe extern "C" fn(
    *mut u32,
    Handle,
    u32,
    *const OidSet,
    c_int,
    *const KeyValues,
    *mut Handle,
    *mut *mut OidSet,
    *mut u32,
) -> u32;
type InitSecContext = unsafe extern "C" fn(
    *mut u32,
    Handle,
    *mut Handle,
    Handle,
    *const Oid,
    u32,
    u32,
    *mut c_void,
    *const Buffer,
    *mut *mut Oid,
    *mut Buffer,
    *mut u32,
    *mut u32,
) -> u32;
type Wrap = unsafe extern "C" fn(
    *mut u32,
    Handle,
    c_int,
    u32,
    *const Buffer,
    *mut c_int,
    *mut Buffer,
) -> u32;
type Unwrap =
    unsafe extern "C" fn(*mut u32, Handle, *const Buffer, *mut Buffer, *mut c_int, *mut u32) -> u32;
type DisplayStatus =
    unsafe extern "C" fn(*mut u32, u32, c_int, *const Oid, *mut u32, *mut Buffer) -> u32;
type Release = unsafe extern "C" fn(*mut u32, *mut Handle) -> u32;
type ReleaseBuffer = unsafe extern "C" fn(*mut u32, *mut Buffer) -> u32;
type DeleteContext = unsafe extern "C" fn(*mut u32, *mut Handle, *mut Buffer) -> u32;

/// The functions that are used.
struct Api {
    import_name: ImportName,
    acquire_cred_from: AcquireCredFrom,
    init_sec_context: InitSecContext,
    wrap: Wrap,
    unwrap: Unwrap,
    display_status: DisplayStatus,
    release_name: Release,
    release_cred: Release,
    release_buffer: ReleaseBuffer,
    delete_sec_context: DeleteContext,
    /// They are valid as long as it is open.
    _library: Library,
}

/// The library, opened at the first call; a library that is not there is looked for again by the next process.
fn api() -> Result<&'static Api, String> {
    static API: OnceLock<Result<Api, String>> = OnceLock::new();
    API.get_or_init(|| open(LIBRARY))
        .as_ref()
        .map_err(Clone::clone)
}

fn open(name: &str) -> Result<Api, String> {
    let missing = |error: libloading::Error| {
        format!(
            "the Kerberos library {name} cannot be loaded ({error}); install it (Debian and Ubuntu: libgssapi-krb5-2, \
             Fedora and Red Hat: krb5-libs)"
        )
    };
    // SAFETY: the library's initialisation has no demands on its user; it is the one that ssh and others load.
    let library = unsafe { Library::new(name) }.map_err(missing)?;
    // SAFETY: the types are those of gssapi.h and gssapi_ext.h of the library whose name says its interface version.
    unsafe {
        Ok(Api {
            import_name: *library.get(b"gss_import_name").map_err(missing)?,
            acquire_cred_from: *library.get(b"gss_acquire_cred_from").map_err(missing)?,
            init_sec_context: *library.get(b"gss_init_sec_context").map_err(missing)?,
            wrap: *library.get(b"gss_wrap").map_err(missing)?,
            unwrap: *library.get(b"gss_unwrap").map_err(missing)?,
            display_status: *library.get(b"gss_display_status").map_err(missing)?,
            release_name: *library.get(b"gss_release_name").map_err(missing)?,
            release_cred: *library.get(b"gss_release_cred").map_err(missing)?,
            release_buffer: *library.get(b"gss_release_buffer").map_err(missing)?,
            delete_sec_context: *library.get(b"gss_delete_sec_context").map_err(missing)?,
            _library: library,
        })
    }
}

fn oid(bytes: &'static [u8]) -> Oid {
    Oid {
        length: u32::try_from(bytes.len()).expect("ten bytes"),
        elements: bytes.as_ptr().cast(),
    }
}

/// A view of bytes for the length of a call; the library does not write to what it is given.
fn view(bytes: &[u8]) -> Buffer {
    Buffer {
        length: bytes.len(),
        value: bytes.as_ptr().cast_mut().cast(),
    }
}

const EMPTY: Buffer = Buffer {
    length: 0,
    value: ptr::null_mut(),
};

impl Api {
    /// The library's words for a call that failed: those of Kerberos, which say more, or the general ones.
    fn words(&self, major: u32, minor: u32) -> String {
        let of_mechanism = (minor != 0)
            .then(|| self.text(minor, CODE_OF_MECHANISM))
            .filter(|text| !text.is_empty() && !text.starts_with("Unknown error"));
        of_mechanism.unwrap_or_else(|| self.text(major, CODE_OF_GSS))
    }

    fn text(&self, status: u32, code: c_int) -> String {
        let mut parts = Vec::new();
        let mut more = 0;
        loop {
            let mut minor = 0;
            let mut text = EMPTY;
            let mechanism = oid(&KERBEROS);
            // SAFETY: all pointers are to values that live longer than the call.
            let major = unsafe {
                (self.display_status)(
                    &raw mut minor,
                    status,
                    code,
                    &raw const mechanism,
                    &raw mut more,
                    &raw mut text,
                )
            };
            let part = self.take(text);
            if major & ERRORS != 0 {
                break;
            }
            parts.push(String::from_utf8_lossy(&part).into_owned());
            if more == 0 || parts.len() == 8 {
                break;
            }
        }
        let parts: Vec<&str> = parts.iter().map(|part| part.trim()).collect();
        parts
            .join(", ")
            .chars()
            .filter(|c| !c.is_control())
            .collect()
    }

    /// Copies what the library has allocated, and gives it back.
    fn take(&self, mut buffer: Buffer) -> Vec<u8> {
        let bytes = if buffer.value.is_null() || buffer.length > LONGEST {
            Vec::new()
        } else {
            // SAFETY: the library says that so many bytes are there, and they are its own until they are released.
            unsafe { std::slice::from_raw_parts(buffer.value.cast::<u8>(), buffer.length) }.to_vec()
        };
        let mut minor = 0;
        // SAFETY: the buffer comes from the library (or is empty, which is allowed) and is released once.
        unsafe { (self.release_buffer)(&raw mut minor, &raw mut buffer) };
        bytes
    }

    /// A name of one of the two kinds.
    fn name(&'static self, text: &str, kind: &'static [u8]) -> Result<Name, String> {
        let (bytes, kind) = (view(text.as_bytes()), oid(kind));
        let mut minor = 0;
        let mut handle = ptr::null_mut();
        // SAFETY: all pointers are to values that live longer than the call; the library copies the name.
        let major = unsafe {
            (self.import_name)(
                &raw mut minor,
                &raw const bytes,
                &raw const kind,
                &raw mut handle,
            )
        };
        if major & ERRORS != 0 {
            return Err(self.words(major, minor));
        }
        Ok(Name { api: self, handle })
    }
}

struct Name {
    api: &'static Api,
    handle: Handle,
}

// SAFETY: names do not change after they are made, and the library does not tie them to a thread.
unsafe impl Send for Name {}
// SAFETY: as above.
unsafe impl Sync for Name {}

impl Drop for Name {
    fn drop(&mut self) {
        let mut minor = 0;
        // SAFETY: made by the library, and released only here.
        unsafe { (self.api.release_name)(&raw mut minor, &raw mut self.handle) };
    }
}

/// Tickets to authenticate with.
pub(super) struct Credential {
    api: &'static Api,
    handle: Handle,
}

// SAFETY: the library locks a credential where it changes it; its documentation allows use from several threads.
unsafe impl Send for Credential {}
// SAFETY: as above.
unsafe impl Sync for Credential {}

impl Credential {
    /// Takes tickets from the places in `store`, asking the key distribution center where these say so. Gives their
    /// life in seconds too, as far as it is known.
    pub(super) fn acquire(
        principal: Option<&str>,
        store: &[(&str, &str)],
    ) -> Result<(Self, Option<u32>), String> {
        let api = api()?;
        let name = principal
            .map(|text| api.name(text, &PRINCIPAL))
            .transpose()?;
        let text = |text: &str| {
            CString::new(text).map_err(|_| "a name of a file has a zero byte in it".to_owned())
        };
        let texts = store
            .iter()
            .map(|(key, value)| Ok((text(key)?, text(value)?)))
            .collect::<Result<Vec<_>, String>>()?;
        let elements: Vec<KeyValue> = texts
            .iter()
            .map(|(key, value)| KeyValue {
                key: key.as_ptr(),
                value: value.as_ptr(),
            })
            .collect();
        let places = KeyValues {
            count: u32::try_from(elements.len()).expect("a few"),
            elements: elements.as_ptr(),
        };
        let mechanism = oid(&KERBEROS);
        let mechanisms = OidSet {
            count: 1,
            elements: &raw const mechanism,
        };
        let (mut minor, mut seconds) = (0, 0);
        let mut handle = ptr::null_mut();
        // SAFETY: all pointers are to values that live longer than the call; a null name means "whoever is there".
        let major = unsafe {
            (api.acquire_cred_from)(
                &raw mut minor,
                name.as_ref().map_or(ptr::null_mut(), |name| name.handle),
                INDEFINITE,
                &raw const mechanisms,
                INITIATE,
                &raw const places,
                &raw mut handle,
                ptr::null_mut(),
                &raw mut seconds,
            )
        };
        if major & ERRORS != 0 {
            return Err(api.words(major, minor));
        }
        let seconds = Some(seconds).filter(|seconds| *seconds != INDEFINITE);
        Ok((Self { api, handle }, seconds))
    }
}

impl Drop for Credential {
    fn drop(&mut self) {
        let mut minor = 0;
        // SAFETY: made by the library, and released only here.
        unsafe { (self.api.release_cred)(&raw mut minor, &raw mut self.handle) };
    }
}

/// One authentication to one service.
pub(super) struct Context {
    credential: Arc<Credential>,
    target: Name,
    handle: Handle,
}

// SAFETY: the library does not tie a context to a thread.
unsafe impl Send for Context {}
// SAFETY: whatever touches the context takes it by `&mut`, so that there is one thread at a time.
unsafe impl Sync for Context {}

impl Context {
    /// `service` is `name@host`.
    pub(super) fn new(service: &str, credential: Arc<Credential>) -> Result<Self, String> {
        let target = credential.api.name(service, &HOST_SERVICE)?;
        Ok(Self {
            credential,
            target,
            handle: ptr::null_mut(),
        })
    }

    /// Answers a message of the peer (none at first); says whether both sides are known to each other now.
    pub(super) fn step(&mut self, input: &[u8]) -> Result<(Vec<u8>, bool), String> {
        let api = self.credential.api;
        let (input, mechanism) = (view(input), oid(&KERBEROS));
        let mut output = EMPTY;
        let (mut minor, mut flags) = (0, 0);
        // SAFETY: all pointers are to values that live longer than the call; name and credential are alive, and the
        // context is null at first, which the library takes for a new one.
        let major = unsafe {
            (api.init_sec_context)(
                &raw mut minor,
                self.credential.handle,
                &raw mut self.handle,
                self.target.handle,
                &raw const mechanism,
                MUTUAL | INTEGRITY,
                0,
                ptr::null_mut(),
                &raw const input,
                ptr::null_mut(),
                &raw mut output,
                &raw mut flags,
                ptr::null_mut(),
            )
        };
        // Words first: releasing is a call of its own.
        let problem = (major & ERRORS != 0).then(|| api.words(major, minor));
        let output = api.take(output);
        if let Some(problem) = problem {
            return Err(problem);
        }
        let done = major & CONTINUE_NEEDED == 0;
        if done && flags & (MUTUAL | INTEGRITY) != MUTUAL | INTEGRITY {
            return Err("the broker did not prove who it is".to_owned());
        }
        Ok((output, done))
    }

    /// Takes the protection off a message of the peer.
    pub(super) fn unwrap(&mut self, message: &[u8]) -> Result<Vec<u8>, String> {
        let api = self.credential.api;
        let input = view(message);
        let mut output = EMPTY;
        let mut minor = 0;
        // SAFETY: as above; what is not asked for is null, which the library allows for these two.
        let major = unsafe {
            (api.unwrap)(
                &raw mut minor,
                self.handle,
                &raw const input,
                &raw mut output,
                ptr::null_mut(),
                ptr::null_mut(),
            )
        };
        self.outcome(major, minor, output)
    }

    /// Protects a message against changes, not against readers.
    pub(super) fn wrap(&mut self, message: &[u8]) -> Result<Vec<u8>, String> {
        let api = self.credential.api;
        let input = view(message);
        let mut output = EMPTY;
        let mut minor = 0;
        // SAFETY: as above.
        let major = unsafe {
            (api.wrap)(
                &raw mut minor,
                self.handle,
                0,
                0,
                &raw const input,
                ptr::null_mut(),
                &raw mut output,
            )
        };
        self.outcome(major, minor, output)
    }

    fn outcome(&self, major: u32, minor: u32, output: Buffer) -> Result<Vec<u8>, String> {
        let api = self.credential.api;
        let problem = (major & ERRORS != 0).then(|| api.words(major, minor));
        let output = api.take(output);
        match problem {
            Some(problem) => Err(problem),
            None => Ok(output),
        }
    }
}

impl Drop for Context {
    fn drop(&mut self) {
        let mut minor = 0;
        if !self.handle.is_null() {
            // SAFETY: made by the library, and released only here.
            unsafe {
                (self.credential.api.delete_sec_context)(
                    &raw mut minor,
                    &raw mut self.handle,
                    ptr::null_mut(),
                )
            };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_library_that_is_not_there_is_named_with_the_package_that_brings_it() {
        let problem = open("libgssapi_nowhere.so.2").err().expect("there is none");
        for says in [
            "libgssapi_nowhere.so.2 cannot be loaded",
            "libgssapi-krb5-2",
            "krb5-libs",
        ] {
            assert!(problem.contains(says), "{problem}");
        }
    }

    #[test]
    fn the_librarys_own_words_come_through() {
        let store = [("ccache", "FILE:/nowhere/tickets")];
        let problem = Credential::acquire(None, &store)
            .err()
            .expect("there are no tickets");
        assert!(problem.contains("No credentials cache found"), "{problem}");
    }
}
