"""Why the API could not be reached and what to do, in both languages: for errors and for `doctor`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from saasus_mcp.common.language import Language

Cause = Literal[
    "ca_file",
    "certificate",
    "tls",
    "unknown_host",
    "refused",
    "no_connection",
    "proxy_setting",
    "proxy_unknown",
    "proxy_unreachable",
    "proxy_refused",
    "busy",
    "request",
]

WORDS: Mapping[Language, Mapping[Cause, tuple[str, str]]] = {
    "en": {
        "ca_file": (
            "the certificate authorities that {about} names cannot be read ({detail})",
            "Set it to a readable PEM file, or unset it to use the system's authorities.",
        ),
        "certificate": (
            "the certificate of {about} was refused ({detail})",
            (
                "Where a company proxy inspects TLS, put its root certificate into the system's store, or into a PEM file together "
                "with the public ones and set SSL_CERT_FILE to it."
            ),
        ),
        "tls": (
            "the TLS handshake with {about} failed ({detail})",
            "Check that the address speaks https, and that no proxy or firewall stands in between.",
        ),
        "unknown_host": (
            "the host name {about} is unknown",
            "Check the DNS and SAASUS_API_URL_BASE; where only a proxy reaches the internet, set HTTPS_PROXY.",
        ),
        "refused": (
            "{about} refused the connection",
            "Check SAASUS_API_URL_BASE and the firewall; where only a proxy reaches the internet, set HTTPS_PROXY.",
        ),
        "no_connection": (
            "no connection to {about} ({detail})",
            "Check SAASUS_API_URL_BASE, the network and the firewall; where only a proxy reaches the internet, set HTTPS_PROXY.",
        ),
        "proxy_setting": (
            "the proxy that {about} names cannot be used ({detail})",
            "Write http://HOST:PORT, https://HOST:PORT, socks5://HOST:PORT or socks5h://HOST:PORT.",
        ),
        "proxy_unknown": (
            "the host name of the proxy {about} is unknown",
            "Correct the proxy, or exempt the API's host with NO_PROXY.",
        ),
        "proxy_unreachable": (
            "no connection to the proxy {about} ({detail})",
            "See whether the proxy runs, correct its address, or exempt the API's host with NO_PROXY.",
        ),
        "proxy_refused": (
            "the proxy {about} refused to pass the request on ({detail})",
            "After 407, put the user and password into the proxy's address; otherwise have the API's host allowed.",
        ),
        "busy": (
            "all connections to it are in use",
            "Try again with fewer calls at once.",
        ),
        "request": (
            "the request could not be written ({detail})",
            "Check the credentials and SAASUS_API_URL_BASE with `saasus-mcp doctor`.",
        ),
    },
    "ja": {
        "ca_file": (
            "{about} で指定された認証局の証明書を読み込めません({detail})",
            "読み取れるPEMファイルを指定するか、設定を外してOSの証明書ストアを使ってください。",
        ),
        "certificate": (
            "{about} の証明書を検証できませんでした({detail})",
            (
                "社内プロキシがTLS通信を検査している場合は、そのルート証明書をOSの証明書ストアに追加するか、公開認証局の証明書とまとめた"
                "PEMファイルを SSL_CERT_FILE に指定してください。"
            ),
        ),
        "tls": (
            "{about} とのTLSハンドシェイクに失敗しました({detail})",
            "接続先がhttpsに対応しているか、途中のプロキシやファイアウォールに妨げられていないか確認してください。",
        ),
        "unknown_host": (
            "ホスト名 {about} を解決できません",
            "DNSと SAASUS_API_URL_BASE を確認してください。プロキシ経由でしか外部に出られない環境では HTTPS_PROXY を設定してください。",
        ),
        "refused": (
            "{about} への接続が拒否されました",
            "SAASUS_API_URL_BASE とファイアウォールを確認してください。プロキシ経由でしか外部に出られない環境では HTTPS_PROXY を設定してください。",
        ),
        "no_connection": (
            "{about} に接続できません({detail})",
            "SAASUS_API_URL_BASE、ネットワーク、ファイアウォールを確認してください。プロキシ経由でしか外部に出られない環境では HTTPS_PROXY を設定してください。",
        ),
        "proxy_setting": (
            "{about} で指定されたプロキシを使用できません({detail})",
            "http://ホスト:ポート、https://ホスト:ポート、socks5://ホスト:ポート、socks5h://ホスト:ポート のいずれかの形で指定してください。",
        ),
        "proxy_unknown": (
            "プロキシ {about} のホスト名を解決できません",
            "プロキシのアドレスを直すか、NO_PROXY でAPIのホストを対象外にしてください。",
        ),
        "proxy_unreachable": (
            "プロキシ {about} に接続できません({detail})",
            "プロキシの稼働状況とアドレスを確認するか、NO_PROXY でAPIのホストを対象外にしてください。",
        ),
        "proxy_refused": (
            "プロキシ {about} が中継を拒否しました({detail})",
            "407の場合はプロキシのアドレスにユーザー名とパスワードを含めてください。それ以外の場合は、APIのホストへの接続を許可してもらってください。",
        ),
        "busy": (
            "APIへの接続がすべて使用中です",
            "同時に行う呼び出しを減らして、もう一度試してください。",
        ),
        "request": (
            "リクエストを送信できる形にできませんでした({detail})",
            "`saasus-mcp doctor` で認証情報と SAASUS_API_URL_BASE を確認してください。",
        ),
    },
}
