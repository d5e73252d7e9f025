// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

/// @title Communities: who may take part in which community
/// @notice One registry for any number of communities. Anyone may create one. Nobody stands above
/// the owners: there is no administrator, no upgrade, no fee, and no way to send it funds.
///
/// Roles: 0 none, 1 member, 2 moderator, 3 owner, 255 banned. Each community has exactly one
/// owner, whose seat changes by handover alone.
///
/// Peers do not scan logs. They ask `access` for a whole room at once, watch `version`, and read
/// `changes` from storage to replay how the seats came to be; `rolling` proves that two of them
/// replayed the same list.
/// @dev Change kinds 32 and above are left free for gates and roots of a later registry.
contract Communities {
    /// @notice Role of an account without a seat.
    uint8 public constant NONE = 0;
    /// @notice Role of a member.
    uint8 public constant MEMBER = 1;
    /// @notice Role of a moderator: adds and removes members, bans and unbans non-moderators.
    uint8 public constant MODERATOR = 2;
    /// @notice Role of the owner: makes moderators, pauses, writes the record, hands over.
    uint8 public constant OWNER = 3;
    /// @notice Role of a banned account; it beats every other way in.
    uint8 public constant BANNED = 255;

    /// @notice Kind of a change that paused the community; its account is who did it.
    uint8 public constant KIND_PAUSED = 16;
    /// @notice Kind of a change that ended a pause; its account is who did it.
    uint8 public constant KIND_RESUMED = 17;

    /// @notice Most bytes of a name, as UTF-8.
    uint256 public constant MAX_NAME = 64;
    /// @notice Most bytes of a profile.
    uint256 public constant MAX_PROFILE = 4096;
    /// @notice Most accounts in one `setRoles`.
    uint256 public constant MAX_BATCH = 200;

    /// @notice One step in the history of a community.
    /// @param account Whose seat changed, or who paused or resumed.
    /// @param kind The account's new role, or one of the `KIND_` constants.
    /// @param time Block time, in seconds since the Unix epoch.
    struct Change {
        address account;
        uint8 kind;
        uint48 time;
    }

    /// @notice A listed account as `seats` returns it. Banned accounts are listed too.
    /// @param account The account.
    /// @param role Its role, never `NONE`; a pause does not show here.
    /// @param since Block time at which it got this role, in seconds since the Unix epoch.
    struct SeatView {
        address account;
        uint8 role;
        uint48 since;
    }

    /// @notice All that a page shows about a community.
    /// @param name Its name, 1 to 64 bytes, meant as UTF-8 but not checked to be.
    /// @param profile Text or data about it, at most 4,096 bytes; its format is the readers' matter.
    /// @param owner The account with the owner's seat.
    /// @param pendingOwner Whom the seat is offered to, or zero.
    /// @param members Accounts that are member, moderator or owner.
    /// @param seats Listed accounts: `members` and the banned.
    /// @param paused Whether members are shut out for now.
    /// @param version How many changes there were; 1 after creation.
    /// @param rolling Digest of all changes up to `version`.
    /// @param metadata A pointer to more (an Arweave id is 32 bytes), or zero.
    /// @param created Block time of creation, in seconds since the Unix epoch.
    struct CommunityView {
        string name;
        string profile;
        address owner;
        address pendingOwner;
        uint64 members;
        uint64 seats;
        bool paused;
        uint64 version;
        bytes32 rolling;
        bytes32 metadata;
        uint64 created;
    }

    /// @dev One slot. `index` is the account's place in `Community.list`; only meaningful with a role.
    struct Seat {
        uint8 role;
        uint48 since;
        uint40 index;
    }

    /// @dev `history.length` is the version. `owner` mirrors the one seat of role 3.
    struct Community {
        address owner;
        uint48 created;
        uint40 members;
        bool paused;
        address pendingOwner;
        bytes32 rolling;
        bytes32 metadata;
        string name;
        string profile;
        address[] list;
        Change[] history;
        mapping(address account => Seat) seat;
    }

    /// @notice How many communities there are; their ids are 1 to `count`.
    uint64 public count;

    /// @notice The device cutoff of a wallet, in seconds since the Unix epoch: certificates that it
    /// issued at or before this moment are void, in every community. Zero: none.
    mapping(address wallet => uint64 cutoff) public deviceCutoff;

    mapping(uint64 id => Community) private communities;

    /// @notice A community came to be. Its owner's `SeatChanged` follows.
    event CommunityCreated(uint64 indexed id, address indexed owner, string name);
    /// @notice `account` has a new role; one event per change, in the order of versions.
    event SeatChanged(
        uint64 indexed id,
        address indexed account,
        uint8 role,
        address by,
        uint64 version,
        bytes32 rolling
    );
    /// @notice A pause began or ended.
    event PauseChanged(uint64 indexed id, bool paused, address by, uint64 version, bytes32 rolling);
    /// @notice The community has a new name.
    event NameChanged(uint64 indexed id, string name);
    /// @notice The community has a new profile; read it with `community`.
    event ProfileChanged(uint64 indexed id);
    /// @notice The community has a new metadata pointer.
    event MetadataChanged(uint64 indexed id, bytes32 metadata);
    /// @notice The owner's seat is offered to `to`; zero takes an offer back.
    event OwnerOffered(uint64 indexed id, address indexed owner, address indexed to);
    /// @notice `wallet` voided the certificates that it issued at or before `cutoff`.
    event DeviceCutoffChanged(address indexed wallet, uint64 cutoff);

    /// @notice There is no community `id`; ids are 1 to `count`.
    error UnknownCommunity(uint64 id, uint64 count);
    /// @notice `caller` has role `role`, and this needs `needed` or more.
    error NotAllowed(uint64 id, address caller, uint8 role, uint8 needed);
    /// @notice Only 0, 1, 2 and 255 can be set; 3 moves by handover.
    error RoleNotSettable(uint8 role);
    /// @notice The owner's seat changes by `offerOwner` and `acceptOwner` alone.
    error OwnerSeat(uint64 id, address owner);
    /// @notice `account` is banned; a moderator lifts a ban by setting role 0.
    error AccountBanned(uint64 id, address account);
    /// @notice `account` has no seat to leave.
    error NoSeat(uint64 id, address account);
    /// @notice The zero address can hold no seat.
    error ZeroAccount();
    /// @notice A name has 1 to `max` bytes.
    error NameLength(uint256 given, uint256 max);
    /// @notice A profile has at most `max` bytes.
    error ProfileLength(uint256 given, uint256 max);
    /// @notice One call takes at most `max` accounts.
    error BatchLength(uint256 given, uint256 max);
    /// @notice The owner's seat is offered to `offered` (zero: nobody), not to `caller`.
    error NotOffered(uint64 id, address caller, address offered);
    /// @notice A cutoff only moves forward from `current`.
    error CutoffNotForward(uint64 given, uint64 current);
    /// @notice A cutoff cannot lie after the block's time.
    error CutoffInFuture(uint64 given, uint256 blockTime);

    // ---------------------------------------------------------------- writing

    /// @notice Makes a community that the caller owns.
    /// @param name 1 to 64 bytes.
    /// @param profile At most 4,096 bytes.
    /// @return id Its number, from 1.
    function create(string calldata name, string calldata profile) external returns (uint64 id) {
        id = ++count;
        Community storage c = communities[id];
        c.created = uint48(block.timestamp);
        c.owner = msg.sender;
        _checkName(name);
        c.name = name;
        if (bytes(profile).length != 0) {
            _checkProfile(profile);
            c.profile = profile;
        }
        emit CommunityCreated(id, msg.sender, name);
        _setSeat(id, c, msg.sender, OWNER);
    }

    /// @notice Gives all `accounts` the same role. Accounts that have it already are passed over;
    /// if one cannot be changed, none is. Moderators may set members, banned and none on accounts
    /// that are not moderators; the owner may do all but move the owner's seat. A banned account
    /// must be set to none before it can be let in again, so no list lifts a ban by accident.
    /// @param id The community.
    /// @param accounts At most 200.
    /// @param role 0 removes or lifts a ban, 1 member, 2 moderator, 255 bans.
    function setRoles(uint64 id, address[] calldata accounts, uint8 role) external {
        Community storage c = _known(id);
        if (role > MODERATOR && role != BANNED) revert RoleNotSettable(role);
        uint8 mine = _require(id, c, role == MODERATOR ? OWNER : MODERATOR);
        if (accounts.length > MAX_BATCH) revert BatchLength(accounts.length, MAX_BATCH);
        for (uint256 i = 0; i < accounts.length; ++i) {
            address account = accounts[i];
            uint8 old = c.seat[account].role;
            if (account == address(0)) revert ZeroAccount();
            if (old == OWNER) revert OwnerSeat(id, account);
            if (old == role) continue;
            if (old == MODERATOR && mine != OWNER) revert NotAllowed(id, msg.sender, mine, OWNER);
            if (old == BANNED && role != NONE) revert AccountBanned(id, account);
            _setSeat(id, c, account, role);
        }
    }

    /// @notice Gives up the caller's own seat, as a member or moderator.
    function leaveCommunity(uint64 id) external {
        Community storage c = _known(id);
        uint8 role = c.seat[msg.sender].role;
        if (role == NONE) revert NoSeat(id, msg.sender);
        if (role == OWNER) revert OwnerSeat(id, msg.sender);
        if (role == BANNED) revert AccountBanned(id, msg.sender);
        _setSeat(id, c, msg.sender, NONE);
    }

    /// @notice Shuts members out or lets them in again; owner only. Moderators and the owner stay.
    function setPaused(uint64 id, bool paused) external {
        Community storage c = _known(id);
        _require(id, c, OWNER);
        if (c.paused == paused) return;
        c.paused = paused;
        (uint64 version_, bytes32 rolling_) =
            _record(c, msg.sender, paused ? KIND_PAUSED : KIND_RESUMED);
        emit PauseChanged(id, paused, msg.sender, version_, rolling_);
    }

    /// @notice Renames the community; owner only. No change of `version`.
    /// @param id The community.
    /// @param name 1 to 64 bytes.
    function setName(uint64 id, string calldata name) external {
        Community storage c = _known(id);
        _require(id, c, OWNER);
        _checkName(name);
        c.name = name;
        emit NameChanged(id, name);
    }

    /// @notice Replaces the profile; owner only. No change of `version`.
    /// @param id The community.
    /// @param profile At most 4,096 bytes.
    function setProfile(uint64 id, string calldata profile) external {
        Community storage c = _known(id);
        _require(id, c, OWNER);
        _checkProfile(profile);
        c.profile = profile;
        emit ProfileChanged(id);
    }

    /// @notice Sets the pointer to further data, such as an Arweave id; owner only. Zero: none. No
    /// change of `version`.
    function setMetadata(uint64 id, bytes32 metadata) external {
        Community storage c = _known(id);
        _require(id, c, OWNER);
        c.metadata = metadata;
        emit MetadataChanged(id, metadata);
    }

    /// @notice Offers the owner's seat; owner only. The seat moves when `to` accepts. A new offer
    /// replaces the last, zero takes it back.
    function offerOwner(uint64 id, address to) external {
        Community storage c = _known(id);
        _require(id, c, OWNER);
        if (to == msg.sender) revert OwnerSeat(id, to);
        if (c.seat[to].role == BANNED) revert AccountBanned(id, to);
        c.pendingOwner = to;
        emit OwnerOffered(id, msg.sender, to);
    }

    /// @notice Takes the owner's seat that was offered to the caller. The old owner becomes a
    /// moderator. Two changes: first the old owner, then the new.
    function acceptOwner(uint64 id) external {
        Community storage c = _known(id);
        if (c.pendingOwner != msg.sender) revert NotOffered(id, msg.sender, c.pendingOwner);
        if (c.seat[msg.sender].role == BANNED) revert AccountBanned(id, msg.sender);
        address old = c.owner;
        c.owner = msg.sender;
        c.pendingOwner = address(0);
        _setSeat(id, c, old, MODERATOR);
        _setSeat(id, c, msg.sender, OWNER);
    }

    /// @notice Voids all device certificates that the caller issued at or before `cutoff`.
    /// @param cutoff Seconds since the Unix epoch: after the present cutoff, not after now.
    function setDeviceCutoff(uint64 cutoff) external {
        uint64 current = deviceCutoff[msg.sender];
        if (cutoff <= current) revert CutoffNotForward(cutoff, current);
        if (cutoff > block.timestamp) revert CutoffInFuture(cutoff, block.timestamp);
        deviceCutoff[msg.sender] = cutoff;
        emit DeviceCutoffChanged(msg.sender, cutoff);
    }

    // ---------------------------------------------------------------- reading

    /// @notice The roles that `accounts` have now, in their order. While paused, members read as
    /// none; moderators and the owner keep theirs. A ban always reads as a ban.
    function access(uint64 id, address[] calldata accounts)
        external
        view
        returns (uint8[] memory roles)
    {
        return _access(_known(id), accounts);
    }

    /// @notice What a peer checks about others, for a whole room in one call: `access` and
    /// `deviceCutoff` of `accounts`, in their order.
    function standings(uint64 id, address[] calldata accounts)
        external
        view
        returns (uint8[] memory roles, uint64[] memory cutoffs)
    {
        roles = _access(_known(id), accounts);
        cutoffs = new uint64[](accounts.length);
        for (uint256 i = 0; i < accounts.length; ++i) {
            cutoffs[i] = deviceCutoff[accounts[i]];
        }
    }

    /// @notice All that a page shows about a community, in one call.
    function community(uint64 id) external view returns (CommunityView memory) {
        Community storage c = _known(id);
        return CommunityView({
            name: c.name,
            profile: c.profile,
            owner: c.owner,
            pendingOwner: c.pendingOwner,
            members: c.members,
            seats: uint64(c.list.length),
            paused: c.paused,
            version: uint64(c.history.length),
            rolling: c.rolling,
            metadata: c.metadata,
            created: c.created
        });
    }

    /// @notice How many changes of seats and pause there were. It only rises.
    function version(uint64 id) external view returns (uint64) {
        return uint64(_known(id).history.length);
    }

    /// @notice Digest of all changes: zero before the first, then each time
    /// `keccak256(abi.encode(rolling, kind, account, version))` with the version that it leads to.
    function rolling(uint64 id) external view returns (bytes32) {
        return _known(id).rolling;
    }

    /// @notice Up to `n` listed accounts, the first `from` left out. Removing an account moves the
    /// last into its place, so read all pages at one block.
    function seats(uint64 id, uint256 from, uint256 n)
        external
        view
        returns (SeatView[] memory page)
    {
        Community storage c = _known(id);
        page = new SeatView[](_pageLength(c.list.length, from, n));
        for (uint256 i = 0; i < page.length; ++i) {
            address account = c.list[from + i];
            Seat storage seat = c.seat[account];
            page[i] = SeatView(account, seat.role, seat.since);
        }
    }

    /// @notice Up to `n` changes, the first `from` left out: who knows version `v` goes on with
    /// `from = v`. The first change returned leads to version `from + 1`. The list only grows.
    function changes(uint64 id, uint256 from, uint256 n)
        external
        view
        returns (Change[] memory page)
    {
        Community storage c = _known(id);
        page = new Change[](_pageLength(c.history.length, from, n));
        for (uint256 i = 0; i < page.length; ++i) {
            page[i] = c.history[from + i];
        }
    }

    // ---------------------------------------------------------------- inside

    /// @dev The community, or a revert if there is none.
    function _known(uint64 id) private view returns (Community storage c) {
        c = communities[id];
        if (c.created == 0) revert UnknownCommunity(id, count);
    }

    /// @dev The caller's role, or a revert if it is banned or below `needed`. A pause has no say.
    function _require(uint64 id, Community storage c, uint8 needed)
        private
        view
        returns (uint8 role)
    {
        role = c.seat[msg.sender].role;
        if (role < needed || role == BANNED) revert NotAllowed(id, msg.sender, role, needed);
    }

    function _access(Community storage c, address[] calldata accounts)
        private
        view
        returns (uint8[] memory roles)
    {
        bool paused = c.paused;
        roles = new uint8[](accounts.length);
        for (uint256 i = 0; i < accounts.length; ++i) {
            uint8 role = c.seat[accounts[i]].role;
            if (!(paused && role == MEMBER)) roles[i] = role;
        }
    }

    function _checkName(string calldata name) private pure {
        uint256 length = bytes(name).length;
        if (length == 0 || length > MAX_NAME) revert NameLength(length, MAX_NAME);
    }

    function _checkProfile(string calldata profile) private pure {
        uint256 length = bytes(profile).length;
        if (length > MAX_PROFILE) revert ProfileLength(length, MAX_PROFILE);
    }

    function _pageLength(uint256 length, uint256 from, uint256 n) private pure returns (uint256) {
        if (from >= length) return 0;
        return n < length - from ? n : length - from;
    }

    /// @dev The one place where seats change: seat, list, count of members, history. `role` must
    /// differ from the account's present one.
    function _setSeat(uint64 id, Community storage c, address account, uint8 role) private {
        Seat memory seat = c.seat[account];
        bool wasIn = seat.role != NONE && seat.role != BANNED;
        bool isIn = role != NONE && role != BANNED;
        if (isIn && !wasIn) ++c.members;
        if (wasIn && !isIn) --c.members;
        if (role == NONE) {
            address last = c.list[c.list.length - 1];
            if (last != account) {
                c.list[seat.index] = last;
                c.seat[last].index = seat.index;
            }
            c.list.pop();
            delete c.seat[account];
        } else {
            if (seat.role == NONE) {
                seat.index = uint40(c.list.length);
                c.list.push(account);
            }
            seat.role = role;
            seat.since = uint48(block.timestamp);
            c.seat[account] = seat;
        }
        (uint64 version_, bytes32 rolling_) = _record(c, account, role);
        emit SeatChanged(id, account, role, msg.sender, version_, rolling_);
    }

    /// @dev Appends to the history and so raises the version by one.
    function _record(Community storage c, address account, uint8 kind)
        private
        returns (uint64 version_, bytes32 rolling_)
    {
        c.history.push(Change(account, kind, uint48(block.timestamp)));
        version_ = uint64(c.history.length);
        rolling_ = keccak256(abi.encode(c.rolling, kind, account, version_));
        c.rolling = rolling_;
    }
}
