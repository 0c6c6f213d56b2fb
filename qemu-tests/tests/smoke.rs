//! `make smoke` as a test: from a blank disk to a page of a Deployment.

use qemu_tests::client::Client;
use qemu_tests::machine::X86_64_UEFI;
use qemu_tests::{Result, scenario, smoke};

#[test]
fn a_fresh_machine_serves_a_page_and_ends_in_order() -> Result<()> {
    let figures = scenario("smoke", |lab| {
        let client = Client::new(lab.path("kubeconfig"))?;
        smoke::run(lab, &X86_64_UEFI, client, |text| eprintln!("{text}"))
    })?;
    assert!(figures.len() >= 8, "all is measured: {figures:?}");
    Ok(())
}
