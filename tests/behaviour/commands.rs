//! Commands as scripts: what people type, what they read, and the exit code.

#[test]
fn commands_answer_as_their_scripts_say() {
    trycmd::TestCases::new().case("tests/cmd/*.trycmd");
}
