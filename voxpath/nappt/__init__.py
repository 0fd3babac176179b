"""Network address persistent port translation, pure: the oracle that every NAT back end is tested against."""
