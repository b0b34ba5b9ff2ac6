//! Commands as scripts: what people type, what they read, and the exit code.

#[test]
fn commands_answer_as_in_their_scripts() {
    trycmd::TestCases::new().case("tests/cmd/*.trycmd");
}
