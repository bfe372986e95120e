//! Writes the world's numbering plans as constants: what `src/identifier/numbering.rs` needs of the
//! `phonenumber` crate's metadata, which would take a tenth of a second and 13 MB to read at run time;
//! and, for its tests, the numbers that the metadata gives as examples. Knows nothing of how numbers
//! are read.

// A build that cannot write its table must end, and this is how a build script ends.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::fmt::Write as _;
use std::path::Path;
use std::{env, fs};

use phonenumber::Metadata;
use phonenumber::metadata::{DATABASE, Descriptor};

/// Country codes have one to three digits.
const CODES: u16 = 1000;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    let mut plans = String::new();
    let mut examples = String::from("[\n");
    let mut regions = Vec::new();
    for code in 0..CODES {
        let all = DATABASE.by_code(&code).unwrap_or_default();
        let main = all.iter().position(|meta| meta.is_main_country_for_code()).unwrap_or(0);
        for (place, meta) in all.into_iter().enumerate() {
            plan(&mut plans, meta, place == main);
            for example in descriptors(meta).filter_map(Descriptor::example) {
                writeln!(examples, "({:?}, {code}, {example:?}),", meta.id()).unwrap();
            }
            regions.push(meta.id());
        }
    }
    // Every country and territory has one; if there are fewer, the crate has changed under us.
    let count = regions.len();
    assert!(count > 200, "the metadata has only {count} regions");
    let plans = format!(
        "#[allow(clippy::unreadable_literal)] // sets of bits\nstatic PLANS: [Plan; {count}] = [\n{plans}];\n"
    );
    let mut by_region: Vec<_> = (0..).zip(regions).map(|(index, region): (u16, _)| (region, index)).collect();
    by_region.sort_unstable();
    // What belongs to no country has one name for all its codes.
    by_region.retain(|(region, _)| region.len() == 2);
    let by_region = format!("static BY_REGION: [(&str, u16); {}] = {by_region:?};\n", by_region.len());
    let out = env::var_os("OUT_DIR").expect("cargo sets OUT_DIR");
    fs::write(Path::new(&out).join("numbering_plans.rs"), plans + &by_region).unwrap();
    fs::write(Path::new(&out).join("numbering_examples.rs"), examples + "]").unwrap();
}

// The method itself can only be named by the crate that has it, which is not a dependency of ours.
#[allow(clippy::redundant_closure_for_method_calls)]
fn plan(into: &mut String, meta: &Metadata, is_main: bool) {
    let (mut lengths, mut local_lengths) = (0, 0);
    for descriptor in descriptors(meta) {
        lengths |= bits(descriptor.possible_length());
        local_lengths |= bits(descriptor.possible_local_length());
    }
    let parsing = meta.national_prefix_for_parsing().map(|pattern| pattern.as_str());
    writeln!(
        into,
        "Plan {{ region: {:?}, code: {}, is_main: {is_main}, lengths: {lengths}, local_lengths: {}, \
         national_prefix_rule: {:?}, international_prefix: Pattern::new({:?}, false), \
         national_prefix: Pattern::new({:?}, false), any_number: Pattern::new(Some({:?}), true) }},",
        meta.id(),
        meta.country_code(),
        local_lengths & !lengths,
        meta.national_prefix_transform_rule().filter(|rule| !rule.is_empty()),
        meta.international_prefix().map(|pattern| pattern.as_str()),
        parsing.or(meta.national_prefix()),
        meta.descriptors().general().national_number().as_str(),
    )
    .unwrap();
}

/// Every kind of number that is dialled as such; short codes and the like are not among them.
fn descriptors(meta: &Metadata) -> impl Iterator<Item = &Descriptor> {
    let all = meta.descriptors();
    [
        Some(all.general()),
        all.fixed_line(),
        all.mobile(),
        all.toll_free(),
        all.premium_rate(),
        all.shared_cost(),
        all.personal_number(),
        all.voip(),
        all.pager(),
        all.uan(),
        all.voicemail(),
    ]
    .into_iter()
    .flatten()
}

/// Bit n: numbers of n digits.
fn bits(lengths: &[u16]) -> u32 {
    lengths.iter().filter(|&&length| length < 32).fold(0, |bits, &length| bits | 1 << length)
}
