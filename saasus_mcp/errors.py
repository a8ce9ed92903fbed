"""The one base of every failure that saasus-mcp explains to whoever caused it.

SaasusMcpError
 ├─ UnknownTool            catalog      no operation has that name
 ├─ InvalidArguments       saasus       a value is wrong; nothing was sent
 ├─ SendFailed             saasus       the request did not come back with an answer
 ├─ SettingsError          settings     a variable or flag cannot be read
 ├─ PolicyError            permissions  a policy file is not sound
 ├─ StoreError             store        what must survive cannot be kept
 └─ Refused                permissions  the call may not happen, or not yet

Anything else that is raised is a defect of ours: its text never reaches a client.
"""


class SaasusMcpError(Exception):
    """A failure with words for the one who can mend it.

    `message` says what is wrong and `mend` what to do about it; both are safe to show: no secret enters them.
    """

    def __init__(self, message: str, mend: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.mend = mend

    def __str__(self) -> str:
        between = "" if self.message.endswith("。") else " "  # a Japanese sentence is followed by no space
        return f"{self.message}{between}{self.mend}".rstrip()
