// Loads etcd by its own Go client: etcd_load ENDPOINTS CLIENTS SECONDS BYTES. Prints how many puts
// were acknowledged, and the median and the 99th percentile of their times in microseconds. Each
// client is a goroutine that puts one value after the other; all share one connection.
package main

import (
	"context"
	"fmt"
	"os"
	"sort"
	"strconv"
	"strings"
	"sync"
	"time"

	"go.etcd.io/etcd/clientv3"
)

func number(at int) int {
	value, err := strconv.Atoi(os.Args[at])
	if err != nil {
		panic(err)
	}
	return value
}

func main() {
	clients, seconds, bytes := number(2), number(3), number(4)
	client, err := clientv3.New(clientv3.Config{
		Endpoints:   strings.Split(os.Args[1], ","),
		DialTimeout: 5 * time.Second,
	})
	if err != nil {
		panic(err)
	}
	defer client.Close()
	value := strings.Repeat("x", bytes)
	end := time.Now().Add(time.Duration(seconds) * time.Second)
	times := make([][]int, clients)
	var all sync.WaitGroup
	for i := 0; i < clients; i++ {
		all.Add(1)
		go func(i int) {
			defer all.Done()
			for n := 0; time.Now().Before(end); n++ {
				began := time.Now()
				key := fmt.Sprintf("key%d-%d", i, n%100)
				if _, err := client.Put(context.Background(), key, value); err != nil {
					fmt.Fprintln(os.Stderr, err)
					continue
				}
				times[i] = append(times[i], int(time.Since(began).Microseconds()))
			}
		}(i)
	}
	all.Wait()
	var sorted []int
	for _, each := range times {
		sorted = append(sorted, each...)
	}
	sort.Ints(sorted)
	if len(sorted) == 0 {
		fmt.Println("0 0 0")
		return
	}
	fmt.Println(len(sorted), sorted[len(sorted)/2], sorted[len(sorted)*99/100])
}
