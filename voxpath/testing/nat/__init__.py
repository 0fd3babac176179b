"""What every NAT back end has to do (NAP-14): a suite for pytest that packages of others can import, too."""
