// The dumbbell of `lanecast bench engine` in ns-3 3.37: N BulkSend flows of TcpCubic (1448-byte segments, SACK on)
// over one 100 Mbit/s bottleneck with PIE, 20 ms base RTT. Prints one JSON line: data packets through the bottleneck,
// goodput, and the CPU time of Simulator::Run alone.
//
// Build: g++ -O3 -std=c++17 ns3_dumbbell.cc -o ns3_dumbbell $(pkg-config --cflags --libs libns3.37-...)
// (`lanecast bench engine` does it where Debian's libns3-dev is installed).

#include "ns3/applications-module.h"
#include "ns3/core-module.h"
#include "ns3/internet-module.h"
#include "ns3/network-module.h"
#include "ns3/point-to-point-module.h"
#include "ns3/traffic-control-module.h"

#include <cstdio>
#include <ctime>
#include <string>

using namespace ns3;

static uint64_t g_packets = 0;

static void
CountData(Ptr<const Packet> packet)
{
    if (packet->GetSize() > 1000)
    {
        ++g_packets;
    }
}

int
main(int argc, char* argv[])
{
    uint32_t flows = 10;
    double seconds = 10.0;
    std::string rate = "100Mbps";
    CommandLine cmd;
    cmd.AddValue("flows", "number of flows", flows);
    cmd.AddValue("seconds", "simulated seconds", seconds);
    cmd.AddValue("rate", "bottleneck rate", rate);
    cmd.Parse(argc, argv);

    Config::SetDefault("ns3::TcpL4Protocol::SocketType", StringValue("ns3::TcpCubic"));
    Config::SetDefault("ns3::TcpSocket::SegmentSize", UintegerValue(1448));
    Config::SetDefault("ns3::TcpSocketBase::Sack", BooleanValue(true));

    NodeContainer routers;
    routers.Create(2);
    PointToPointHelper bottleneck;
    bottleneck.SetDeviceAttribute("DataRate", StringValue(rate));
    bottleneck.SetChannelAttribute("Delay", StringValue("8ms"));
    bottleneck.SetQueue("ns3::DropTailQueue", "MaxSize", StringValue("1p"));
    PointToPointHelper access;
    access.SetDeviceAttribute("DataRate", StringValue("10Gbps"));
    access.SetChannelAttribute("Delay", StringValue("1ms"));

    InternetStackHelper stack;
    NodeContainer senders;
    NodeContainer receivers;
    senders.Create(flows);
    receivers.Create(flows);
    stack.Install(routers);
    stack.Install(senders);
    stack.Install(receivers);

    NetDeviceContainer middle = bottleneck.Install(routers);
    TrafficControlHelper control;
    control.SetRootQueueDisc("ns3::PieQueueDisc", "MaxSize", StringValue("1000p"));
    control.Install(middle.Get(0));
    Ipv4AddressHelper addresses;
    addresses.SetBase("10.0.0.0", "255.255.255.0");
    addresses.Assign(middle);

    for (uint32_t i = 0; i < flows; ++i)
    {
        std::string left = "10.1." + std::to_string(i) + ".0";
        std::string right = "10.2." + std::to_string(i) + ".0";
        addresses.SetBase(left.c_str(), "255.255.255.0");
        addresses.Assign(access.Install(senders.Get(i), routers.Get(0)));
        addresses.SetBase(right.c_str(), "255.255.255.0");
        Ipv4InterfaceContainer sink = addresses.Assign(access.Install(routers.Get(1), receivers.Get(i)));
        BulkSendHelper source("ns3::TcpSocketFactory", InetSocketAddress(sink.GetAddress(1), 5000));
        source.SetAttribute("MaxBytes", UintegerValue(0));
        source.Install(senders.Get(i)).Start(MilliSeconds(i));
        PacketSinkHelper helper("ns3::TcpSocketFactory", InetSocketAddress(Ipv4Address::GetAny(), 5000));
        helper.Install(receivers.Get(i)).Start(Seconds(0));
    }
    Ipv4GlobalRoutingHelper::PopulateRoutingTables();
    middle.Get(0)->TraceConnectWithoutContext("PhyTxEnd", MakeCallback(&CountData));

    Simulator::Stop(Seconds(seconds));
    std::clock_t begin = std::clock();
    Simulator::Run();
    double cpu = double(std::clock() - begin) / CLOCKS_PER_SEC;
    uint64_t received = 0;
    for (uint32_t i = 0; i < flows; ++i)
    {
        received += DynamicCast<PacketSink>(receivers.Get(i)->GetApplication(0))->GetTotalRx();
    }
    std::printf("{\"packets\": %llu, \"cpu_seconds\": %.6f, \"goodput_mbps\": %.3f}\n",
                static_cast<unsigned long long>(g_packets), cpu, received * 8 / seconds / 1e6);
    Simulator::Destroy();
    return 0;
}
