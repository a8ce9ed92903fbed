"""The words of charts, in both languages."""

from __future__ import annotations

from collections.abc import Mapping

from saasus_mcp.common.language import Language

WORDS: Mapping[Language, Mapping[str, str]] = {
    "en": {
        "contracts": "Contracts: fixed prices by plan",
        "income": "{currency} a {interval}, with or without tax as the tax rate says",
        "month": "month",
        "year": "year",
        "tenants": "{plan} ({count})",
        "contracts_foot": "In brackets: tenants. Prices by use are not in it. Tenants without a plan: {count}.",
        "usage": "Usage by tenant, {first} to {last} ({zone})",
        "unit": "{name} ({unit})",
        "others": "{count} others",
        "times": "Period",
        "upper": "After the slash: the upper count of the present plan, for one month, or for one year in a yearly plan.",
        "left_out": "Units not shown: {units}.",
    },
    "ja": {
        "contracts": "契約状況: プラン別の固定料金",
        "income": "{currency}/{interval}(税込・税別は税率の設定によります)",
        "month": "月",
        "year": "年",
        "tenants": "{plan}({count})",
        "contracts_foot": "かっこ内はテナント数。従量料金は含みません。プラン未契約のテナント: {count}件",
        "usage": "テナント別の利用量 {first}から{last}まで({zone})",
        "unit": "{name}({unit})",
        "others": "ほか{count}件",
        "times": "期間",
        "upper": "「/」の後は現在のプランの上限です(1か月あたり。年額プランは1年あたり)。",
        "left_out": "表示していない単位: {units}",
    },
}
