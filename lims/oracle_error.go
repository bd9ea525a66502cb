package lims

import (
	"errors"
	"fmt"
	"strings"

	"github.com/sijms/go-ora/v2/network"
)

func (oracle) explain(s Source, err error) error {
	var e *network.OracleError
	if !errors.As(err, &e) {
		return nil
	}
	said := fmt.Sprintf("ORA-%05d", e.ErrCode)
	// The server's words, where they name objects only.
	words, _, _ := strings.Cut(strings.TrimSpace(e.ErrMsg), "\n")
	if _, rest, ok := strings.Cut(words, ": "); ok {
		words = rest
	}
	switch e.ErrCode { // Oracle Database Error Help
	case 54, 30006, 4021, 4020:
		return &Busy{Source: s, Reason: "a lock of another session was not released (" + said + ")"}
	case 60:
		return &Busy{Source: s, Reason: "this reader gave way in a deadlock"}
	case 1013:
		return &Busy{Source: s, Reason: "the server ended a statement that took longer than the query time limit"}
	case 2393, 2392, 2394, 2395:
		return &Busy{Source: s, Reason: "the statement reached a limit of the account's profile (" + said + ")"}
	case 1555, 8176, 22924:
		return &Busy{Source: s, Reason: "the statement took longer than the server keeps older versions of rows (" + said + ": snapshot too old); if it lasts, an index on changed_at helps"}
	case 4061, 4068, 8103, 1410:
		return &Busy{Source: s, Reason: "a table or view was changed meanwhile (" + said + ")"}

	case 1017, 1005, 28008:
		return misfit("", "login failed (%s): check user and password; capitals count in passwords", said)
	case 28000:
		return misfit("", "login failed (%s): the account is locked: ask the DBA for ALTER USER … ACCOUNT UNLOCK, and put the right password first, or it locks again", said)
	case 28001, 28003, 28002, 28220:
		return misfit("", "login failed (%s): the password has expired: set a new one with ALTER USER … IDENTIFIED BY, and ask the DBA for a profile whose passwords do not expire", said)
	case 1045:
		return misfit("", "login failed (%s): the account lacks a right: ask the DBA for GRANT CREATE SESSION", said)
	case 1004, 28009, 28040, 28041, 28131:
		return misfit("", "login failed (%s): the server does not accept this way to log in: the account's password may be of a version before 11g, set it anew", said)
	case 12514:
		return misfit("", "the listener does not know the service (%s): check database, which is the service name (lsnrctl services lists them), or write sid; right after a start it may take a minute", said)
	case 12505:
		return misfit("", "the listener does not know the SID (%s): check sid, or write the service name as database", said)
	case 12506, 12529, 12564, 12502, 12533, 12504:
		return misfit("", "the listener refuses the connection (%s): check server, port, database or sid, and ask the DBA whether valid nodes or an ACL shut this machine out", said)
	case 12650, 12660, 12599, 12656:
		return misfit("", "the server and encrypt: native do not agree on an encryption (%s): ask the DBA for SQLNET.ENCRYPTION_SERVER and SQLNET.CRYPTO_CHECKSUM_SERVER = REQUESTED, or use TLS", said)
	case 12541, 12170, 12535, 12545:
		return &Unavailable{Reason: "no listener answers (" + said + ")", Next: "check server, port and firewall"}
	case 12516, 12518, 12519, 12520, 12526, 12527, 12528, 18, 20, 2391, 2396, 2399, 28, 1012, 1033, 1034, 1089, 1090, 1092, 3113, 3114, 3135, 12537, 12547, 12571, 25408, 1109, 1652, 4031:
		return &Unavailable{Source: s, Reason: "the server does not serve now (" + said + ")", Next: "if it lasts, ask the DBA about the instance, its processes, and the account's profile"}

	case 942, 4043, 980, 2019:
		return mayNot(misfit(s, "%s (%s): check the name, create the view, or ask the DBA for GRANT READ: Oracle says the same of a view that may not be read", words, said))
	case 1031, 41900, 1720:
		return mayNot(misfit(s, "%s (%s): ask the DBA for GRANT READ on the view, and that the view's owner has READ … WITH GRANT OPTION on what lies beneath", words, said))
	case 4063:
		return misfit(s, "%s (%s): the view does not compile: ask the DBA for ALTER VIEW … COMPILE", words, said)
	case 933, 3048, 3049:
		return misfit(s, "%s (%s): check the SELECT; a server older than 12.1 does not know FETCH FIRST and cannot be read", words, said)
	case 900, 903, 904, 905, 906, 907, 909, 911, 917, 918, 920, 923, 932, 936, 937, 938, 939, 960, 972, 979, 1747, 1748, 1789, 1790, 2014, 6553, 6575:
		return misfit(s, "%s (%s): check the SELECT", words, said)
	case 14551, 1456, 16000:
		return misfit(s, "the SELECT tries to write (%s): the bridge reads only", said)
	}
	return misfit(s, "%s, whose text may quote data and is not shown: run the SELECT by hand, it may fail on some row", said)
}

// mayNot marks a Misfit as one for a missing right.
func mayNot(m *Misfit) *Misfit {
	m.Right = true
	return m
}
