"""Files of phone programs: addresses and ports from the lease, users from the configuration, the rest from the class."""

from dataclasses import replace

import pytest

from tests.flow.test_files import ELSEWHERE, HOME, Provisions, is_withheld, provision
from voxpath.flow.files import FilePolicy, Image, Rendered
from voxpath.model.phone import Provision
from voxpath.model.user import Showing, SipAccount, SipUser
from voxpath.provision.record import place_holders
from voxpath.tftp.question import Fetch, Refused

SERVER = "198.51.100.10"
MAC = "02:00:00:00:0a:01"


def accounts(*names: str, showing: Showing = Showing.NOT, port: int = 5060, password: str = "7hUq") -> tuple[SipAccount, ...]:
    return tuple(SipAccount(SipUser(name, SERVER, password, MAC, showing), port, 3600) for name in names)


def fetched(name: str, users: tuple[SipAccount, ...] = (), settings: tuple[str, ...] = (), size: int = 64) -> str:
    made = provision(size)
    made = replace(made, phone_class=replace(made.phone_class, settings=settings))
    choice = FilePolicy(Provisions(made), {MAC: users}).choose(Fetch(name, HOME))
    assert isinstance(choice, Rendered), choice
    return choice.content.decode()


def test_baresip_without_a_combination_address_is_private_throughout() -> None:
    assert fetched("020000000a01/config", accounts("a1")) == (
        "# baresip 1\n"
        "sip_listen 10.0.0.11:2048\n"
        "net_interface 10.0.0.11\n"
        "rtp_ports 2050-2111\n"
        "dns_server 10.0.0.1:53\n"
        "module_path /usr/lib/baresip/modules\n"
        "module g711.so\n"
        "module_tmp uuid.so\n"
        "module_tmp account.so\n"
        "module_app contact.so\n"
        "module_app menu.so\n"
    )
    assert fetched("020000000a01/config") == fetched("020000000a01/config", accounts("a1")), "a phone without users is private, too"


@pytest.mark.parametrize(("showing", "listens"), [(Showing.GRUU, "10.0.0.11"), (Showing.SELF, "203.0.113.1")])
def test_baresip_with_a_combination_address_names_it_for_media(showing: Showing, listens: str) -> None:
    text = fetched("020000000a01/config", accounts("a1", showing=showing))
    assert f"\nsip_listen {listens}:2048\nnet_interface 203.0.113.1\n" in text


def test_each_user_is_a_line_of_accounts() -> None:
    assert fetched("020000000a01/accounts", accounts("a1", "A2", port=5070)) == (
        "# baresip 1\n"
        "<sip:a1@198.51.100.10:5070>;auth_pass=7hUq;regint=3600;audio_codecs=PCMA,PCMU\n"
        "<sip:A2@198.51.100.10:5070>;auth_pass=7hUq;regint=3600;audio_codecs=PCMA,PCMU\n"
    )
    assert "<sip:a1@198.51.100.10>;regint" in fetched("020000000a01/accounts", accounts("a1", password=""))
    assert fetched("020000000a01/accounts") == fetched("020000000a01/contacts") == "# baresip 1\n"


def test_what_the_class_adds_comes_first_and_so_wins() -> None:
    settings = ("module alsa.so", ";answermode=auto", "snd_path /tmp/{mac}-{address}-{first_port}-{last_port}", "a {} {else} b")
    config = fetched("020000000a01/config", accounts("a1"), settings)
    assert config.startswith(
        "# baresip 1\nmodule alsa.so\nsnd_path /tmp/02:00:00:00:0a:01-10.0.0.11-2048-2111\na {} {else} b\nsip_listen"
    )
    assert "<sip:a1@198.51.100.10>;answermode=auto;auth_pass" in fetched("020000000a01/accounts", accounts("a1"), settings)
    assert place_holders(settings[2]) == ["mac", "address", "first_port", "last_port"]


def test_the_instance_is_that_of_the_phone_for_ever() -> None:
    assert fetched("020000000a01/uuid") == "00000000-0000-1000-8000-020000000a01"


@pytest.mark.parametrize(("showing", "public"), [(Showing.NOT, "no"), (Showing.GRUU, "yes"), (Showing.SELF, "yes")])
def test_twinkle_names_its_public_address_by_itself(showing: Showing, public: str) -> None:
    text = fetched("020000000a01/twinkle.cfg", accounts("a1", "a2", showing=showing))
    assert f"use_nat_public_ip={public}\n" in text
    assert ("nat_public_ip=203.0.113.1\n" in text) == (public == "yes")
    assert "user_name=a1\nuser_domain=198.51.100.10\nauth_name=a1\nauth_pass=7hUq\nregistrar=198.51.100.10\n" in text
    assert "a2" not in text


def test_twinkles_ports_are_of_the_block_and_the_classes_lines_come_last() -> None:
    text = fetched("020000000a01/twinkle.sys", accounts("a1"), ("dev_mic=alsa:null",))
    assert text == "sip_port=2048\nrtp_port=2050\nstart_user_profile=twinkle\ndev_mic=alsa:null\n"
    assert fetched("020000000a01/twinkle.cfg") == ""


@pytest.mark.parametrize("stem", ["020000000a01", "02-00-00-00-0A-01", "baresip/020000000A01", "/BARESIP/02-00-00-00-0a-01"])
def test_a_file_has_the_same_names_as_others_with_the_program_or_without(stem: str) -> None:
    assert fetched(f"{stem}/config") == fetched("020000000a01/config")


@pytest.mark.parametrize(
    "name", ["twinkle/020000000a01/config", "x/020000000a01/config", "020000000a01/config/x", "020000000a01/x"]
)
def test_other_names_are_images(name: str) -> None:
    assert FilePolicy(Provisions(provision())).choose(Fetch(name, HOME)) == Image(name)


@pytest.mark.parametrize("file", ["config", "accounts", "contacts", "uuid", "twinkle.cfg", "twinkle.sys"])
def test_only_the_holder_of_the_lease_gets_a_file(file: str) -> None:
    policy = FilePolicy(Provisions(provision()), {MAC: accounts("a1")})
    assert is_withheld(policy.choose(Fetch(f"020000000a01/{file}", ELSEWHERE)))


@pytest.mark.parametrize("size", [1, 2])
def test_a_block_without_room_for_media_is_refused_and_named(size: int) -> None:
    choice = FilePolicy(Provisions(provision(size))).choose(Fetch("020000000a01/config", HOME))
    assert choice == Refused(0, f"a block of {size} ports is too small for such a phone")
    assert "rtp_ports 2050-2051\n" in fetched("020000000a01/config", size=4)


def test_the_same_lease_always_makes_the_same_files() -> None:
    files = ("config", "accounts", "contacts", "uuid", "twinkle.cfg", "twinkle.sys")
    assert [fetched(f"020000000a01/{file}", accounts("a1")) for file in files] == [
        fetched(f"020000000a01/{file}", accounts("a1")) for file in files
    ]


def test_nothing_that_a_phone_says_of_itself_stands_in_a_programs_file() -> None:
    """A host name comes from the wire."""

    class Named(Provisions):
        def provision_of(self, phone: str) -> Provision | None:
            return provision(host_name="evil\nmodule x.so")

    policy = FilePolicy(Named(provision()), {MAC: accounts("a1")})
    for file in ("config", "accounts", "twinkle.cfg", "twinkle.sys"):
        choice = policy.choose(Fetch(f"020000000a01/{file}", HOME))
        assert isinstance(choice, Rendered)
        assert b"evil" not in choice.content
