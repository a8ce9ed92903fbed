"""The people of the demonstration SaaS, all invented, with their logins and roles."""

from __future__ import annotations

from typing import NamedTuple

from saasus_mcp.sandbox.call import DAY, PRODUCTION
from saasus_mcp.sandbox.state import State, uid

ELSEWHERE = (1, 2)
"""Environments in which administrators and editors hold their roles, too."""


class SeedUser(NamedTuple):
    """One user: `login` with an @ is an address, else a sign-in id; `grants` has the form `tenant=role+role`, separated by blanks."""

    name: str
    login: str
    grants: str
    department: str = ""


PEOPLE = (
    SeedUser("青空 みなみ", "minami.aozora@example.jp", "aozora=admin harbor=viewer", "経営企画"),
    SeedUser("星野 あかね", "akane.hoshino@example.jp", "aozora=admin+経理", "経理"),
    SeedUser("月島 こうた", "kota.tsukishima@example.jp", "aozora=editor", "営業"),
    SeedUser("花園 ゆづき", "yuzuki.hanazono@example.jp", "aozora=editor", "営業"),
    SeedUser("海原 そうや", "soya.unabara@example.jp", "aozora=editor+経理", "経理"),
    SeedUser("風間 いろは", "iroha.kazama@example.jp", "aozora=viewer", "営業"),
    SeedUser("森川 つむぎ", "tsumugi.morikawa@example.jp", "aozora=viewer", "購買"),
    SeedUser("雪村 はるか", "haruka.yukimura@example.jp", "aozora=viewer", "購買"),
    SeedUser("白鳥 りつ", "ritsu.shiratori@example.jp", "aozora=support", "カスタマーサポート"),
    SeedUser("桜庭 めい", "mei.sakuraba@example.jp", "aozora=support+viewer", "カスタマーサポート"),
    SeedUser("霧島 たくま", "takuma.kirishima@example.jp", "aozora=editor midori=viewer", "物流"),
    SeedUser("虹野 しおり", "shiori.nijino@example.jp", "aozora=viewer", "物流"),
    SeedUser("倉庫端末1", "warehouse-01", "aozora=editor", "物流"),
    SeedUser("倉庫端末2", "warehouse-02", "aozora=editor", "物流"),
    SeedUser("受付端末", "reception-01", "aozora=viewer", "総務"),
    SeedUser("砂原 なぎ", "nagi.sunahara@example.jp", "aozora=viewer", "総務"),
    SeedUser("夏目 ひなた", "hinata.natsume@example.jp", "aozora=", "総務"),
    SeedUser("Marlo Fennick", "marlo.fennick@example.com", "harbor=admin", "Operations"),
    SeedUser("Tessa Quillby", "tessa.quillby@example.com", "harbor=admin+経理", "Finance"),
    SeedUser("Orin Vasshaw", "orin.vasshaw@example.com", "harbor=editor", "Sales"),
    SeedUser("Lindy Arkwell", "lindy.arkwell@example.com", "harbor=editor", "Sales"),
    SeedUser("Bram Oakensy", "bram.oakensy@example.com", "harbor=editor", "Sales"),
    SeedUser("Petra Lomwick", "petra.lomwick@example.com", "harbor=viewer", "Support"),
    SeedUser("Jory Saltmere", "jory.saltmere@example.com", "harbor=viewer", "Support"),
    SeedUser("Neve Castellow", "neve.castellow@example.com", "harbor=support", "Support"),
    SeedUser("Dock Terminal A", "dock-a", "harbor=editor", "Warehouse"),
    SeedUser("Dock Terminal B", "dock-b", "harbor=editor", "Warehouse"),
    SeedUser("Ansel Tidwater", "ansel.tidwater@example.com", "harbor=viewer aozora=viewer", "Partners"),
    SeedUser("Rosalind Pikewell", "rosalind.pikewell@example.com", "harbor=経理", "Finance"),
    SeedUser("緑川 さつき", "satsuki.midorikawa@example.jp", "midori=admin", "本店"),
    SeedUser("若葉 けんと", "kento.wakaba@example.jp", "midori=admin+経理", "本店"),
    SeedUser("薬師寺 まこと", "makoto.yakushi@example.jp", "midori=editor", "調剤"),
    SeedUser("草野 ほたる", "hotaru.kusano@example.jp", "midori=editor", "調剤"),
    SeedUser("店頭レジ1", "midori-pos-1", "midori=viewer", "店頭"),
    SeedUser("店頭レジ2", "midori-pos-2", "midori=viewer", "店頭"),
    SeedUser("木ノ下 あさひ", "asahi.kinoshita@example.jp", "midori=viewer", "店頭"),
    SeedUser("導入支援 共通", "onboarding@example.com", "aozora=support harbor=support midori=support", "Onboarding"),
    SeedUser("監査 太陽", "audit.sun@example.com", "aozora=viewer harbor=viewer midori=viewer", "Audit"),
    SeedUser("登録のみ 一郎", "waiting@example.jp", ""),
    SeedUser("Kiosk Spare", "kiosk-spare", ""),
)


def user_id(login: str) -> str:
    """Return the id of the person with this login."""
    return uid("user", login)


def plant(state: State, now: int) -> None:
    """Add users, their memberships and their grants."""
    for number, person in enumerate(PEOPLE):
        joined = now - (400 - 9 * number) * DAY - number * 977
        identifier = user_id(person.login)
        by_email = "@" in person.login
        language = "en" if person.name.isascii() else "ja"
        user = {
            "id": identifier,
            "email": person.login if by_email else "",
            "sign_in_id": "" if by_email else person.login,
            "attributes": {"locale": language, "newsletter": number % 3 == 0, "login_count": 7 * number},
            "last_login_at": now - number * 5_417 if person.grants else None,
            "created_at": joined,
        }
        state.put("users", (identifier,), user)
        for grants in person.grants.split():
            _plant_member(state, person, number, grants, joined)


def _plant_member(state: State, person: SeedUser, number: int, grants: str, joined: int) -> None:
    tenant, _, names = grants.partition("=")
    tenant_id, identifier = uid("tenant", tenant), user_id(person.login)
    attributes = {
        "full_name": person.name,
        "department": person.department,
        "employee_number": 1000 + number,
        "is_manager": "admin" in names,
        "joined_on": f"20{20 + number % 5}-{1 + number % 12:02}-01",
    }
    since = max(joined, state.get("tenants", tenant_id)["created_at"]) + DAY
    member = {"tenant_id": tenant_id, "user_id": identifier, "attributes": attributes, "created_at": since}
    state.put("members", (tenant_id, identifier), member)
    for role in filter(None, names.split("+")):
        for env in (PRODUCTION, *(ELSEWHERE if role in ("admin", "editor") else ())):
            grant = {"tenant_id": tenant_id, "user_id": identifier, "env_id": env, "role_name": role}
            state.put("grants", (tenant_id, identifier, env, role), grant)
