"""The example in the description of an operation is a call that the server accepts."""

from __future__ import annotations

from saasus_mcp.catalog import Catalogue
from saasus_mcp.permissions.inspection.preconditions import check_argument_requirements
from saasus_mcp.permissions.operation_call import OperationCall
from saasus_mcp.saasus.arguments import parse_arguments
from saasus_mcp.server.surface.examples import example_arguments

NOW = 1_800_000_000


def test_every_example_passes_the_checks_of_arguments(catalogue: Catalogue) -> None:
    for operation in catalogue:
        example = example_arguments(operation)
        arguments = parse_arguments(operation, example)
        assert dict(arguments) == example, operation.key
        check_argument_requirements(OperationCall(operation, arguments), NOW)


def test_an_example_has_the_form_that_a_requirement_demands(catalogue: Catalogue) -> None:
    assert example_arguments(catalogue.find("auth_sign_up")) == {"email": "hanako@example.com"}
    bridge = example_arguments(catalogue.find("integration_save_event_bridge_settings"))
    assert bridge["aws_account_id"] == "123456789012"
